"""Somebody logs in on the command line: with a code, a person elsewhere, and a server that might be anybody."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fillstream.contexts import load
from fillstream.device_login import LoginFailed, Prompt, Server, ask, discover, http_client, wait
from fillstream.installation import Installation
from fillstream.serve import bind, listening, serving
from libs.kit.db import database
from tests.auth.builders import EMAIL, Person, a_person, refresh
from tests.auth.devices import APPROVAL
from tests.proved import prove_address
from tests.world import PATIENCE_SECONDS

NOWHERE = Server(
    issuer="http://127.0.0.1:1",
    device_authorization_endpoint="http://127.0.0.1:1/device",
    token_endpoint="http://127.0.0.1:1/token",
    revocation_endpoint="http://127.0.0.1:1/revoke",
)


@pytest.fixture
async def url(where: Installation) -> AsyncIterator[str]:
    """Auth at work, for impatient devices."""
    async with serving([load("auth")], where.with_values(auth_device_poll_seconds=1)) as running:
        yield running.url


@pytest.fixture
async def person_client(url: str) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        yield client


@pytest.fixture
async def ada(person_client: httpx2.AsyncClient, where: Installation) -> Person:
    person = await a_person(person_client)
    async with database(where.of(load("auth")), "auth") as db:
        await prove_address(db, EMAIL)
    return person


@asynccontextmanager
async def command(home: Path, *arguments: str) -> AsyncIterator[Process]:
    """The command as its users run it, in a home of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FILLSTREAM_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fillstream", *arguments, stdout=PIPE, stderr=PIPE,
        env=kept | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")},
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def the_code(process: Process) -> str:
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE_SECONDS)).decode()
    found = re.search(r"Approve the code (\w{4}-\w{4}) at http", line)
    assert found, line
    return found[1]


async def test_a_login_is_approved_kept_and_ended(
    person_client: httpx2.AsyncClient, url: str, ada: Person, tmp_path: Path
) -> None:
    async with command(tmp_path, "login", "--url", url) as process:
        body = {"user_code": await the_code(process), "decision": "APPROVE"}
        (await person_client.post(APPROVAL, json=body, headers=ada.bearer)).raise_for_status()
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    assert process.returncode == 0, err.decode()
    [kept] = (tmp_path / "config/fillstream").iterdir()
    token = kept.read_text()
    assert f"the session is kept in {kept}" in out.decode()
    assert token not in (out + err).decode()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    async with command(tmp_path, "logout", "--url", url) as process:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

    assert process.returncode == 0, err.decode()
    assert not kept.exists()
    assert (await refresh(person_client, token)).status_code == 401


async def test_a_login_that_is_denied_keeps_nothing(
    person_client: httpx2.AsyncClient, url: str, ada: Person, tmp_path: Path
) -> None:
    async with command(tmp_path, "login", "--url", url) as process:
        body = {"user_code": await the_code(process), "decision": "DENY"}
        await person_client.post(APPROVAL, json=body, headers=ada.bearer)
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

    assert (process.returncode, err.decode().splitlines()[-1]) == (1, "fillstream: the code was refused")
    assert not (tmp_path / "config/fillstream").exists()


async def test_who_is_not_logged_in_is_told_so(tmp_path: Path) -> None:
    async with command(tmp_path, "logout", "--url", "http://127.0.0.1:1") as process:
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)

    assert (process.returncode, err.decode()) == (1, "fillstream: nobody is logged in at http://127.0.0.1:1\n")


class Pauses:
    """Time that passes at once, and is counted."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@asynccontextmanager
async def a_server(*answers: Response) -> AsyncIterator[Server]:
    """A token endpoint that gives these answers, one after the other."""
    waiting = list(answers)

    async def token(_request: Request) -> Response:
        return waiting.pop(0)

    listener = bind("127.0.0.1", 0)
    async with listening(Starlette(routes=[Route("/token", token, methods=["POST"])]), listener):
        here = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield NOWHERE.model_copy(update={"token_endpoint": f"{here}/token"})


def refused(error: str) -> Response:
    return JSONResponse({"error": error}, 400)


PROMPT = Prompt.model_validate(
    {"device_code": "d", "user_code": "BCDF-GHJK", "verification_uri": "x", "expires_in": 60, "interval": 5}
)


async def test_a_device_waits_as_it_is_told_and_longer_for_a_server_in_trouble() -> None:
    pauses = Pauses()
    busy = Response(status_code=503)
    answers = (refused("authorization_pending"), refused("slow_down"), busy, JSONResponse({"refresh_token": "t"}))

    async with http_client() as client, a_server(*answers) as server:
        assert await wait(client, server, PROMPT, pauses) == "t"

    assert pauses.seconds == [5, 5, 10, 20]


async def test_a_server_that_never_answers_is_asked_less_and_less_and_not_for_ever() -> None:
    pauses = Pauses()

    async with http_client() as client:
        with pytest.raises(LoginFailed, match="nobody approved the code in time"):
            await wait(client, NOWHERE, PROMPT, pauses)

    assert pauses.seconds == [5, 10, 20, 40]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda: refused("access_denied"), "the code was refused"),
        (lambda: refused("expired_token"), "nobody approved the code in time"),
        (lambda: refused("invalid_grant"), "the server refuses: invalid_grant"),
        (lambda: refused("\x1b[2J"), "answers what no server of ours would"),
        (lambda: JSONResponse({}), "answers what no server of ours would"),
        (lambda: Response(b"<html>", 404), "answers what no server of ours would"),
    ],
)
async def test_what_ends_the_waiting_is_told(answer: Callable[[], Response], told: str) -> None:
    async with http_client() as client, a_server(answer()) as server:
        with pytest.raises(LoginFailed, match=told):
            await wait(client, server, PROMPT, Pauses())


async def test_nothing_is_sent_where_it_would_be_overheard() -> None:
    async with http_client() as client:
        with pytest.raises(LoginFailed, match="is not https"):
            await discover(client, "http://api.example.com")


async def test_a_server_that_says_that_it_is_another_one_is_not_used(where: Installation) -> None:
    elsewhere = where.with_values(public_url="https://api.example.com")
    async with serving([load("auth")], elsewhere) as running, http_client() as client:
        with pytest.raises(LoginFailed, match="says that it is another one"):
            await discover(client, running.url)


async def test_what_the_server_says_goes_to_no_terminal_unlooked_at() -> None:
    async def device(_request: Request) -> Response:
        return JSONResponse(
            {"device_code": "d", "user_code": "\x1b]0;x\x07", "verification_uri": "x", "expires_in": 60}
        )

    listener = bind("127.0.0.1", 0)
    here = f"http://127.0.0.1:{listener.getsockname()[1]}/device"
    server = NOWHERE.model_copy(update={"device_authorization_endpoint": here})
    app = Starlette(routes=[Route("/device", device, methods=["POST"])])
    async with listening(app, listener), http_client() as client:
        with pytest.raises(LoginFailed, match="answers what no server of ours would"):
            await ask(client, server)
