"""How are events looked at from the command line?"""

from __future__ import annotations

from uuid import UUID

import typer

from fillstream.cli.shell import run_on_servers
from fillstream.contexts import load_all
from fillstream.events import chain, pretty, tail
from fillstream.installation import Installation
from libs.kit.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Look at events.")


@app.command("tail")
def follow() -> None:
    """Print each event as it arrives, until Ctrl-C."""

    async def work(where: Installation) -> None:
        async for line in tail(where.settings(Settings)):
            typer.echo(line)

    run_on_servers(work)


@app.command("show")
def show(event_id: UUID) -> None:
    """Print an event and everything that followed from it."""

    async def work(where: Installation) -> None:
        url = where.settings(Settings).database_url.get_secret_value()
        first, *followed = await chain(url, load_all(), event_id)
        typer.echo("\n".join([pretty(first), *(event.line() for event in followed)]))

    run_on_servers(work)
