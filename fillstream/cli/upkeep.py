"""How is an installation kept in order from the command line?"""

from __future__ import annotations

import sys

import typer
from rich.text import Text

from fillstream.cli.shell import console, log_level, report, run, run_on_servers
from fillstream.contexts import load_all, names
from fillstream.doctor import examine
from fillstream.installation import Installation, home, installation, prepare
from libs.kit.logging import configure_logging
from libs.kit.maintenance import maintain as maintain_all
from libs.kit.settings import Settings


def migrate() -> None:
    """Bring schemas, roles, partitions and topics to this release."""
    configure_logging(log_level())
    run_on_servers(prepare)


def maintain() -> None:
    """Create the coming partitions, drop the expired ones, and forget old idempotency keys."""

    async def work(where: Installation) -> list[str]:
        settings = where.settings(Settings)
        url = settings.database_url.get_secret_value()
        return await maintain_all(url, names(), settings.event_retention_days)

    typer.echo("\n".join(run_on_servers(work) or ["nothing was due"]))


def doctor() -> None:
    """Check settings, database, roles, broker, topics and clocks, and say what to do."""
    configure_logging("CRITICAL")
    if not run(_examine()):
        sys.exit(1)


async def _examine() -> bool:
    well = True
    async with installation(home(), report) as where:
        async for finding in examine(load_all(), where):
            mark = Text("ok   ", "green") if finding.advice is None else Text("fix  ", "red")
            advice = "" if finding.advice is None else f": {finding.advice}"
            console.print(mark.append(f"{finding.check}{advice}", "default"), soft_wrap=True)
            well = well and finding.advice is None
    return well
