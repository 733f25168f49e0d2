"""What only an operator may do: make the first super admin, and give roles when nobody is left who can."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from pydantic import ValidationError

from fillstream.cli.shell import fail, run_on_servers
from fillstream.installation import Installation
from libs.kit.db import Database, database
from libs.kit.errors import Rejected
from libs.kit.ids import uuid7
from services.auth.api.registration import RegisterIn
from services.auth.commands.staff import appoint_first, enrol_first, grant_role, refuse_second
from services.auth.hashing import Cost
from services.auth.model import PlatformRole
from services.auth.passwords import Passwords
from services.auth.queries.people import credentials
from services.auth.repository.users import NewUser
from services.auth.settings import Settings

app = typer.Typer()


@app.command("create")
def create(email: str) -> None:
    """Make the first super admin, once: whoever has the address, or somebody new.

    A new person's password is asked for on the terminal, or read from the first line of standard input.
    """

    async def work(db: Database, settings: Settings) -> str:
        async with db.work() as tx:
            await refuse_second(tx)
            known = await credentials(tx, email)
        new = None if known is not None else await _newcomer(email, settings)
        async with db.work() as tx:
            appointed = appoint_first(tx, email) if new is None else enrol_first(tx, new, uuid7())
            return f"{(await appointed).email} is the first super admin, from the next login on"

    _in_auth(work)


@app.command("grant")
def grant(email: str, role: Annotated[PlatformRole, typer.Argument(case_sensitive=False)]) -> None:
    """Give a registered user a role, when no colleague can; all of their sessions end."""

    async def work(db: Database, _settings: Settings) -> str:
        async with db.work() as tx:
            return f"{(await grant_role(tx, email, role)).email} is {role} from the next login on"

    _in_auth(work)


async def _newcomer(email: str, settings: Settings) -> NewUser:
    try:
        said = RegisterIn.model_validate({"email": email, "password": _asked()})
    except ValidationError as error:
        [problem, *_] = error.errors(include_input=False, include_url=False, include_context=False)
        fail(f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}")
    password = said.password.get_secret_value()
    passwords = Passwords(1, 1, Cost.of(settings))
    weak = await passwords.weakness(password, [said.email])
    if weak is not None:
        fail(" ".join(["password:", weak.warning, *weak.suggestions]))
    return NewUser(said.email, await passwords.hash(password), None, None)


def _asked() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed


def _in_auth(work: Callable[[Database, Settings], Awaitable[str]]) -> None:
    async def there(where: Installation) -> None:
        settings = where.settings(Settings)
        async with database(settings, "auth") as db:
            try:
                done = await work(db, settings)
            except Rejected as error:
                fail(error.detail)
        typer.echo(done)

    run_on_servers(there)
