"""How are audit trails looked at from the command line?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from fillstream.audit import Finding, trails
from fillstream.audit import export as export_
from fillstream.audit import verify as verify_
from fillstream.cli.shell import fail, progress_bar, run_on_servers
from fillstream.installation import Installation
from libs.kit.crypto.addresses import key_encryption
from libs.kit.db import Database, database
from libs.kit.errors import Rejected
from services.auth.settings import Settings
from services.auth.tokens import Issuing

app = typer.Typer()


_Work = Callable[[Database, Settings], Awaitable[None]]


@app.command("verify")
def verify(
    workspace: Annotated[UUID | None, typer.Option(help="of this workspace alone")] = None,
) -> None:
    """Follow every chain from its first entry to its last; ends with 1 and the first entry that is not as it was."""

    async def work(db: Database, settings: Settings) -> None:
        keep = timedelta(days=settings.event_retention_days)
        known = await trails(db, workspace)
        with progress_bar() as progress:
            task = progress.add_task("entries", total=sum(trail.entries for trail in known))
            found = [await verify_(db, one, keep, lambda count: progress.update(task, advance=count)) for one in known]
        _tell(found)

    _in_auth(work)


@app.command("export")
def export(
    workspace: Annotated[UUID, typer.Argument(help="the workspace; the nil UUID is the installation's own trail")],
    out: Annotated[Path, typer.Option(help="the file to write, as JSON Lines")],
) -> None:
    """Write a workspace's trail with its signed head and the public keys, for `deploy/audit/verify.py`."""

    async def work(db: Database, settings: Settings) -> None:
        try:
            async with key_encryption(settings) as guard:
                count = await export_(db, Issuing.of(settings, guard), workspace, out)
        except OSError as error:
            fail(f"the trail can't be written: {error}")
        typer.echo(f"{count} entries of {workspace} are in {out}")

    _in_auth(work)


def _tell(found: list[Finding]) -> None:
    broken = [(finding.workspace_id, finding.broken) for finding in found if finding.broken is not None]
    for workspace_id, first in broken:
        typer.echo(f"{workspace_id}: entry {first.sequence} {first.why}")
    if broken:
        fail(f"{len(broken)} of {len(found)} audit trails do not hold")
    typer.echo(f"{sum(finding.entries for finding in found)} entries in {len(found)} audit trails hold")


def _in_auth(work: _Work) -> None:
    async def there(where: Installation) -> None:
        settings = where.settings(Settings)
        async with database(settings, "auth") as db:
            try:
                await work(db, settings)
            except Rejected as error:
                fail(error.detail)

    run_on_servers(there)
