"""How does an operator look at erasures, and begin one?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer

from fillstream.cli.shell import fail, run_on_servers
from fillstream.installation import Installation
from libs.kit.acts import Origin
from libs.kit.db import Tx, database
from libs.kit.errors import Rejected
from services.auth.commands.erasures import request_erasure
from services.auth.queries import privacy
from services.auth.repository import users
from services.auth.settings import Settings

app = typer.Typer()


@app.command("list")
def list_(
    days: Annotated[int, typer.Option(help="those of so many days", min=1)] = 30,
) -> None:
    """Who was erased, by ids: what has to be done again after an older backup was restored."""

    async def work(tx: Tx) -> str:
        found = await privacy.erasures_since(tx, tx.now - timedelta(days=days))
        return "\n".join(f"{one.id}  user {one.user_id}  {one.state}  {one.updated_at:%Y-%m-%d %H:%M}" for one in found)

    _in_auth(work)


@app.command("certificate")
def certificate(erasure_id: Annotated[UUID, typer.Argument(help="the erasure")]) -> None:
    """Print the signed certificate of an erasure; ends with 1 as long as a context has not answered."""

    async def work(tx: Tx) -> str:
        found = await privacy.erasure_of_id(tx, erasure_id)
        return found.certificate or fail(f"the erasure is {found.state.lower()}: there is no certificate yet")

    _in_auth(work)


@app.command("begin")
def begin(user_id: Annotated[UUID, typer.Argument(help="the person")]) -> None:
    """Erase a person without a time to think again, as after restoring a backup that is older than their erasure."""

    async def work(tx: Tx) -> str:
        home_id = (await users.get(tx, user_id)).default_workspace_id
        made = await request_erasure(tx, home_id, user_id, timedelta(0), Origin())
        return f"erasure {made.id} begins at {made.due_at:%Y-%m-%d %H:%M} UTC"

    _in_auth(work)


def _in_auth(work: Callable[[Tx], Awaitable[str]]) -> None:
    async def there(where: Installation) -> None:
        async with database(where.settings(Settings), "auth") as db:
            try:
                async with db.work() as tx:
                    done = await work(tx)
            except Rejected as error:
                fail(error.detail)
        typer.echo(done)

    run_on_servers(there)
