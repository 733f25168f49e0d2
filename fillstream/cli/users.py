"""How do people come in from the command line?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from fillstream.cli.shell import console, fail, progress_bar, run_on_servers
from fillstream.installation import Installation
from fillstream.users import compare, make_people
from libs.kit.db import Database, database, utc_now
from libs.kit.logging import configure_logging
from services.auth.hashing import Cost
from services.auth.settings import Settings
from services.auth.user_files import FileFormat, Flaw, UserFile, UserLine, format_of, read_users

app = typer.Typer()


@app.callback()
def users() -> None:
    """Work on users."""


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="a .csv file with a header, or JSON Lines; docs/runbook.md has the fields")
    ],
    format_: Annotated[
        Literal["csv", "jsonl"] | None, typer.Option("--format", help="unless the file's name says it")
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="import the good lines of a file with bad ones")] = False,
) -> None:
    """Make a user of each line, or of none when a line is bad; a run that was killed may be repeated."""
    configure_logging("WARNING")
    found = _read(file, format_)

    async def there(where: Installation) -> None:
        settings = where.settings(Settings)
        async with database(settings, "auth") as db:
            standing = await compare(db, found.lines)
            bad = [*found.flaws, *standing.flaws]
            _tell(bad)
            if bad and not skip_bad:
                fail(f"{len(bad)} bad lines, and nobody was imported: mend them, or leave them out with --skip-bad")
            late = await _make(db, Cost.of(settings), standing.lines)
        _tell(late)
        typer.echo(f"{len(standing.lines) - len(late)} people were imported, {standing.before} had been before")
        if late and not skip_bad:
            fail(f"{len(late)} people were not imported: what they need was taken meanwhile")

    run_on_servers(there)


def _read(file: Path, format_: str | None) -> UserFile:
    written = format_of(file) if format_ is None else FileFormat(format_)
    with progress_bar() as bar:
        task = bar.add_task("bytes read", total=file.stat().st_size if file.is_file() else None)
        return read_users(file, written, utc_now(), lambda count: bar.advance(task, count))


async def _make(db: Database, cost: Cost, lines: Sequence[UserLine]) -> Sequence[Flaw]:
    with progress_bar() as bar:
        task = bar.add_task("people", total=len(lines))
        return await make_people(db, cost, lines, lambda count: bar.advance(task, count))


def _tell(flaws: Sequence[Flaw]) -> None:
    for flaw in sorted(flaws, key=lambda flaw: flaw.number):
        console.print(str(flaw), highlight=False, markup=False, soft_wrap=True)
