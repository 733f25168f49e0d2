"""How does somebody log in on the command line? By approving a code elsewhere; no password is typed here."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from fillstream.cli.shell import fail, report, run
from fillstream.credentials import credentials
from fillstream.device_login import ask, discover, http_client, revoke, wait

_HERE = "http://127.0.0.1:8000"
UrlOption = Annotated[
    str, typer.Option("--url", help="the address of the installation", envvar="FILLSTREAM_PUBLIC_URL")
]


def login(url: UrlOption = _HERE) -> None:
    """Log in to an installation: shows a code that you approve where you are logged in already."""
    run(_log_in(url.rstrip("/")))


async def _log_in(url: str) -> None:
    async with http_client() as client:
        server = await discover(client, url)
        prompt = await ask(client, server)
        typer.echo(f"Approve the code {prompt.user_code} at {prompt.verification_uri}")
        report(f"waiting for at most {prompt.expires_in // 60} minutes")
        token = await wait(client, server, prompt, asyncio.sleep)
    typer.echo(f"logged in at {url}; the session is kept in {credentials().keep(url, token)}")


def logout(url: UrlOption = _HERE) -> None:
    """End the session that `login` has begun, there and here."""
    run(_log_out(url.rstrip("/")))


async def _log_out(url: str) -> None:
    store = credentials()
    token = store.known(url)
    if token is None:
        fail(f"nobody is logged in at {url}")
    async with http_client() as client:
        await revoke(client, await discover(client, url), token)
    store.forget(url)
    typer.echo(f"logged out at {url}")
