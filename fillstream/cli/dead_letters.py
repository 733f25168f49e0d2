"""How are dead letters worked on from the command line?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import typer

from fillstream.cli.shell import context_named, fail, run_on_servers
from fillstream.contexts import Context, names
from fillstream.installation import Installation
from libs.kit.db import Database, database
from libs.kit.dead_letters import DeadLetter, find_letter, open_letters
from libs.kit.errors import NotFound, Rejected
from libs.kit.handlers import Handlers
from libs.kit.retry import Outcome
from libs.kit.retry import discard as discard_
from libs.kit.retry import retry as retry_

app = typer.Typer(no_args_is_help=True, help="Work on events that could not be handled.")

InContext = Annotated[str, typer.Argument(metavar="CONTEXT", help="whose dead letter it is")]


@app.command("list")
def list_(context: Annotated[str | None, typer.Argument(help="of this context alone")] = None) -> None:
    """Print dead and parked events that nobody has resolved."""
    wanted = [context_named(name) for name in ([context] if context else names())]

    async def work(where: Installation) -> None:
        for one in wanted:
            async with database(where.of(one), one.name) as db:
                for letter in await open_letters(db):
                    typer.echo(f"{one.name:14} {_line(letter)}")

    run_on_servers(work)


@app.command("show")
def show(context: InContext, letter_id: UUID) -> None:
    """Print a dead letter with its headers and its value."""

    async def work(db: Database, _handlers: Handlers) -> None:
        async with db.work() as tx:
            letter = await find_letter(tx, letter_id)
        if letter is None:
            raise NotFound("dead letter", letter_id)
        typer.echo(_line(letter))
        for name, value in letter.headers:
            typer.echo(f"  {name}: {value.decode(errors='replace')}")
        typer.echo((letter.value or b"").decode(errors="replace"))

    _in_context(context_named(context), work)


@app.command("retry")
def retry(context: InContext, letter_id: UUID) -> None:
    """Handle a dead letter again, and then those parked behind it."""

    async def work(db: Database, handlers: Handlers) -> None:
        _tell(await retry_(db, handlers, letter_id))

    _in_context(context_named(context), work)


@app.command("discard")
def discard(context: InContext, letter_id: UUID) -> None:
    """Give a dead letter up for good, and handle those parked behind it."""

    async def work(db: Database, handlers: Handlers) -> None:
        _tell(await discard_(db, handlers, letter_id))

    _in_context(context_named(context), work)


def _in_context(context: Context, work: Callable[[Database, Handlers], Awaitable[None]]) -> None:
    async def there(where: Installation) -> None:
        settings = where.of(context)
        async with database(settings, context.name) as db:
            try:
                await work(db, context.handlers(settings))
            except Rejected as error:
                fail(error.detail)

    run_on_servers(there)


def _tell(outcome: Outcome) -> None:
    typer.echo(f"{outcome.handled} handled, {outcome.remaining} remaining")
    if outcome.error is not None:
        fail(outcome.error)


def _line(letter: DeadLetter) -> str:
    return f"{letter.id}  {letter.state:9} {letter.topic}[{letter.partition}]@{letter.offset}  {letter.error}"
