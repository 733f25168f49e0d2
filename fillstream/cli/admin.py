"""What only an operator may do: raise a user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import typer

from fillstream.cli.shell import fail, run_on_servers
from fillstream.installation import Installation
from libs.kit.db import Tx, database
from libs.kit.errors import Rejected
from services.auth.commands.staff import grant_admin
from services.auth.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Do what only an operator may.")


@app.command("grant")
def grant(email: str) -> None:
    """Let a registered user write market data and instruments, from their next token on."""

    async def work(tx: Tx, _settings: Settings) -> str:
        user = await grant_admin(tx, email)
        return f"{user.email} is an administrator from the next token on"

    _in_auth(work)


def _in_auth(work: Callable[[Tx, Settings], Awaitable[str]]) -> None:
    async def there(where: Installation) -> None:
        settings = where.settings(Settings)
        async with database(settings, "auth") as db:
            try:
                async with db.work() as tx:
                    done = await work(tx, settings)
            except Rejected as error:
                fail(error.detail)
        typer.echo(done)

    run_on_servers(there)
