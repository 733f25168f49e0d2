"""Which lines of a file are good? All are looked at, each for itself and beside the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from services.auth.model import email_key, username_key
from services.auth.user_files.person import NewPerson
from services.auth.user_files.rows import MAX_LINE_BYTES, BadLine, FileFormat, Row, UserFileError, rows_of

Step = Callable[[int], None]
"""Told of how many more bytes were read."""
_MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class UserLine:
    """A good line: its number, from 1, and who it is."""

    number: int
    person: NewPerson


@dataclass(frozen=True, slots=True)
class Flaw:
    """A bad line, and all that is wrong with it; shows nothing of what it holds but names of fields."""

    number: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {_printable(self.reason)}"


@dataclass(frozen=True, slots=True)
class UserFile:
    """What a file says."""

    lines: Sequence[UserLine]
    flaws: Sequence[Flaw]


def read_users(path: Path, format_: FileFormat, now: datetime, step: Step) -> UserFile:
    """All lines of a file, the good and the bad. Raises UserFileError when none of them can be read."""
    found = _Found(now)
    try:
        with path.open("rb") as file:
            for number, read in rows_of(path, format_, iter(partial(_next_line, file, step), b"")):
                found.take(number, read)
    except OSError as error:
        raise UserFileError(f"{path} can't be read: {error.strerror}") from error
    if not found.lines and not found.flaws:
        raise UserFileError(f"{path} names nobody")
    return UserFile(found.lines, found.flaws)


def _next_line(file: BinaryIO, step: Step) -> bytes:
    """The next line; of one that is too long, a beginning that is too long."""
    line = rest = file.readline(MAX_LINE_BYTES + 1)
    step(len(rest))
    while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
        rest = file.readline(MAX_LINE_BYTES + 1)
        step(len(rest))
    return line


@dataclass
class _Found:
    """The lines until now, and whose each address and user name is."""

    now: datetime
    lines: list[UserLine] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    _emails: dict[str, int] = field(default_factory=dict)
    _usernames: dict[str, int] = field(default_factory=dict)

    def take(self, number: int, read: Callable[[], Row]) -> None:
        """Keep a line, as good or as bad."""
        try:
            person = self._checked(read())
            self._claim(number, person)
        except BadLine as error:
            self.flaws.append(Flaw(number, str(error)))
        else:
            self.lines.append(UserLine(number, person))

    def _checked(self, row: Row) -> NewPerson:
        try:
            person = NewPerson.model_validate(row)
        except ValidationError as error:
            raise BadLine("; ".join(map(_told, error.errors(include_input=False, include_url=False)))) from None
        if person.created_at is not None and person.created_at > self.now:
            raise BadLine("created_at: is in the future")
        return person

    def _claim(self, number: int, person: NewPerson) -> None:
        wanted = [("email", self._emails, email_key(person.email))]
        if person.username is not None:
            wanted.append(("username", self._usernames, username_key(person.username)))
        if twice := [f"{name}: is that of line {known[key]}" for name, known, key in wanted if key in known]:
            raise BadLine("; ".join(twice))
        for _, known, key in wanted:
            known[key] = number


def _told(error: ErrorDetails) -> str:
    """What is wrong with a field, without what it holds."""
    message = {"missing": "is missing", "extra_forbidden": "is no field of a person"}.get(error["type"], error["msg"])
    return f"{'.'.join(map(str, error['loc']))}: {message.removeprefix('Value error, ')}"


def _printable(text: str) -> str:
    """Nothing that would move the reader's cursor, and not without end: a file says what its fields are called."""
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    return shown if len(shown) <= _MAX_REASON else f"{shown[:_MAX_REASON]}..."
