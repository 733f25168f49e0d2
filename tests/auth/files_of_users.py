"""Files of people for tests: as CSV or JSON Lines, read as the command reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from fillstream.users import compare, make_people
from libs.kit.db import Database
from services.auth.hashing import Cost
from services.auth.user_files import FileFormat, UserFile, format_of, read_users

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def ignored(_count: int) -> None:
    """Nobody looks on."""


def json_lines(*people: Mapping[str, object]) -> bytes:
    return b"".join(json.dumps(person).encode() + b"\n" for person in people)


def csv_of(*people: Mapping[str, object]) -> bytes:
    """People as CSV, without anything that would need quotes."""
    names = list(dict.fromkeys(name for person in people for name in person))
    rows = [names, *([_cell(person.get(name)) for name in names] for person in people)]
    return "".join(",".join(row) + "\r\n" for row in rows).encode()


def _cell(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def read(folder: Path, content: bytes, name: str = "people.jsonl", format_: FileFormat | None = None) -> UserFile:
    path = folder / name
    path.write_bytes(content)
    return read_users(path, format_ or format_of(path), NOW, ignored)


def flaws(file: UserFile) -> dict[int, str]:
    """What is said of each bad line."""
    return {flaw.number: str(flaw).partition(": ")[2] for flaw in file.flaws}


async def bring_in(db: Database, file: UserFile) -> tuple[int, int, dict[int, str]]:
    """Import the good lines; how many were made, how many were there already, and what is said of the others."""
    standing = await compare(db, file.lines)
    late = await make_people(db, Cost(), standing.lines, ignored)
    bad = [*file.flaws, *standing.flaws, *late]
    return len(standing.lines) - len(late), standing.before, {flaw.number: flaw.reason for flaw in bad}
