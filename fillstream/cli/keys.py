"""How are keys made and made new from the command line? While services run, read and write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from fillstream.cli.shell import fail, progress_bar, report, run_on_servers
from fillstream.contexts import Context, load_all
from fillstream.installation import Installation
from libs.kit.crypto.addresses import key_encryption
from libs.kit.crypto.encryption import encryption
from libs.kit.crypto.keyset_file import create_keyset
from libs.kit.crypto.rotation import OWN_TROUBLE, Failure, Rotation, keeps_secrets
from libs.kit.db import Tx, database, utc_now
from services.auth.commands.signing_keys import rewrap_signing_keys, rotate_signing_key
from services.auth.settings import Settings as AuthSettings
from services.auth.tokens import Issuing

app = typer.Typer()
_MOMENT = "%Y-%m-%dT%H:%M:%S.%fZ"


@app.command("create")
def create(file: Path) -> None:
    """Make a keyset file, unless there is one: the key-encryption key of an installation without a key service."""
    create_keyset(file.resolve())
    typer.echo(file.resolve().as_uri())


@app.command("rotate")
def rotate(
    kek: Annotated[bool, typer.Option("--kek", help="wrap all data keys by a new key-encryption key")] = False,
    data: Annotated[bool, typer.Option("--data", help="seal everything with new data keys")] = False,
    signing: Annotated[bool, typer.Option("--signing", help="let a new key sign tokens")] = False,
    workspace: Annotated[UUID | None, typer.Option(help="with --data: of this workspace alone")] = None,
    before: Annotated[
        datetime | None,
        typer.Option(formats=[_MOMENT], help="with --data: go on with a run that began then and was killed"),
    ] = None,
) -> None:
    """Make keys new while services go on. A run that was killed may be repeated."""
    if not (kek or data or signing):
        fail("say which keys: --kek, --data or --signing")

    async def work(where: Installation) -> None:
        if kek:
            await _rotate_kek(where)
        if data:
            began = utc_now() if before is None else before.replace(tzinfo=UTC)
            await _rotate_data(where, began, workspace)
        if signing:
            await _rotate_signing_key(where)

    run_on_servers(work)


async def _rotate_kek(where: Installation) -> None:
    contexts = _contexts()
    async with encryption(where.of(contexts[0])) as encryption_:
        newest = await encryption_.guard.renew()
    report(f"{newest or 'the newest version of its key'} wraps from now on")
    failures: list[str] = []
    for context in contexts:
        async with _rotation(where, context) as rotation:
            failures += await _rewrap(rotation, context)
    async with _issuing(where) as (tx, issuing):
        failures += await rewrap_signing_keys(tx, issuing)
    if failures:
        fail(f"these keep their old wrapping, since they do not open: {'; '.join(failures)}")


async def _rewrap(rotation: Rotation, context: Context) -> list[str]:
    """Wrap a context's data keys anew; why some of them could not be."""
    with progress_bar() as bar:
        task = bar.add_task(f"data keys of {context.name}", total=await rotation.count_keys())
        failures = await rotation.rewrap(lambda count: bar.advance(task, count))
    return [_named(context, failure) for failure in failures]


def _named(context: Context, failure: Failure) -> str:
    return f"workspace {failure.tenant_id} in {context.name}: {failure.why}"


async def _rotate_data(where: Installation, before: datetime, workspace: UUID | None) -> None:
    report(f"should this be killed, go on with: fillstream keys rotate --data --before {before.strftime(_MOMENT)}")
    failures: list[str] = []
    for context in _contexts():
        async with _rotation(where, context) as rotation:
            chosen = await rotation.tenants() if workspace is None else [workspace]
            failures += await _renew(rotation, context, chosen, before)
    if failures:
        fail(f"these keep their old data keys, since not all that they sealed opens: {'; '.join(failures)}")


async def _renew(rotation: Rotation, context: Context, tenants: Sequence[UUID], before: datetime) -> list[str]:
    """Renew the data keys of workspaces; why some of them could not be."""
    failures: list[str] = []
    rows, lost = 0, dict[UUID, int]()

    def step(count: int) -> None:
        nonlocal rows
        rows += count
        bar.update(task, description=f"workspaces of {context.name} ({rows} rows)")

    with progress_bar() as bar:
        task = bar.add_task(f"workspaces of {context.name}", total=len(tenants))
        for tenant in tenants:
            try:
                lost[tenant] = await rotation.renew(tenant, before, step)
            except OWN_TROUBLE as error:
                failures.append(_named(context, Failure(tenant, str(error))))
            bar.advance(task)
    if shredded := [count for count in lost.values() if count]:
        report(f"{sum(shredded)} rows of {len(shredded)} workspaces in {context.name} stay as they are: shredded")
    return failures


async def _rotate_signing_key(where: Installation) -> None:
    async with _issuing(where) as (tx, issuing):
        key = await rotate_signing_key(tx, issuing)
    typer.echo(f"key {key.kid} signs from {key.active_from:%Y-%m-%d %H:%M:%S} UTC on")


@asynccontextmanager
async def _issuing(where: Installation) -> AsyncIterator[tuple[Tx, Issuing]]:
    settings = where.settings(AuthSettings)
    async with database(settings, "auth") as db, key_encryption(settings) as guard, db.work() as tx:
        yield tx, Issuing.of(settings, guard)


def _contexts() -> list[Context]:
    """Those that keep secrets."""
    return [context for context in load_all() if keeps_secrets(context.metadata)]


@asynccontextmanager
async def _rotation(where: Installation, context: Context) -> AsyncIterator[Rotation]:
    settings = where.of(context)
    async with database(settings, context.name) as db, encryption(settings) as encryption_:
        yield Rotation(db, encryption_, context.metadata)
