"""What does a line hold? Named values, or a reason why it holds none."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import NoReturn

from libs.kit.errors import FillstreamError
from services.auth.user_files.person import NewPerson

MAX_LINE_BYTES = 65_536
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff")
_FIELDS = tuple(NewPerson.model_fields)
_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False}
_BOOLEAN_FIELDS = frozenset(name for name, about in NewPerson.model_fields.items() if about.annotation is bool)

Row = dict[str, object]
"""Values by the names of fields."""
Rows = Iterator[tuple[int, Callable[[], Row]]]
"""The number of each line, and how it is read. Raises BadLine."""


class UserFileError(FillstreamError):
    """A file can't be read as people at all; the text says why."""


class BadLine(Exception):
    """What is wrong with a line."""


class FileFormat(StrEnum):
    """How a file says who people are."""

    CSV = "csv"
    JSON_LINES = "jsonl"


_SUFFIXES: Mapping[str, FileFormat] = {
    ".csv": FileFormat.CSV,
    ".jsonl": FileFormat.JSON_LINES,
    ".ndjson": FileFormat.JSON_LINES,
}


def format_of(path: Path) -> FileFormat:
    """What a file's suffix says. Raises UserFileError when it says nothing."""
    try:
        return _SUFFIXES[path.suffix.lower()]
    except KeyError:
        raise UserFileError(f"{path} is neither .csv nor .jsonl: say --format csv or --format jsonl") from None


def rows_of(path: Path, format_: FileFormat, lines: Iterable[bytes]) -> Rows:
    """The rows of a file's lines, which keep their ends. Raises UserFileError when the first makes the rest no use."""
    numbered = _numbered(path, lines)
    if format_ is FileFormat.CSV:
        return _csv_rows(path, numbered)
    return ((number, partial(_members, line)) for number, line in numbered)


def _numbered(path: Path, lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that say something, without the mark that spreadsheets put before the first."""
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith(_OTHER_MARKS):
            raise UserFileError(f"{path} is UTF-16: save it as UTF-8")
        said = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
        if said.strip():
            yield number, said


def _text(line: bytes) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise BadLine(f"is longer than {MAX_LINE_BYTES} bytes")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise BadLine("is not UTF-8") from None
    if "\0" in text:
        raise BadLine("holds a NUL character")
    return text.removesuffix("\n").removesuffix("\r")


def _csv_rows(path: Path, lines: Iterator[tuple[int, bytes]]) -> Rows:
    first = next(lines, None)
    if first is None:
        return
    number, line = first
    try:
        header = _header(line)
    except BadLine as error:
        raise UserFileError(f"{path}, line {number}, the header: {error}") from error
    for number, line in lines:
        yield number, partial(_cells_by_name, header, line)


def _header(line: bytes) -> list[str]:
    names = [name.strip().lower() for name in _cells(line)]
    if strange := [name or "a column without a name" for name in names if name not in _FIELDS]:
        raise BadLine(f"no field of a person: {', '.join(strange)}; there are {', '.join(_FIELDS)}")
    if twice := _twice(names):
        raise BadLine(f"more than one column {', '.join(twice)}")
    if "email" not in names:
        raise BadLine("there is no column email")
    return names


def _cells(line: bytes) -> list[str]:
    # A line by itself: a quote that is never closed takes no other line with it.
    try:
        return next(csv.reader([_text(line)], strict=True), [])
    except csv.Error as error:
        raise BadLine(f"is no CSV: {error}") from None


def _cells_by_name(header: Sequence[str], line: bytes) -> Row:
    cells = _cells(line)
    if len(cells) != len(header):
        raise BadLine(f"has {len(cells)} cells, {len(header)} expected")
    return {name: _value(name, cell) for name, cell in zip(header, cells, strict=True) if cell}


def _value(name: str, cell: str) -> object:
    return _BOOLEANS.get(cell.lower(), cell) if name in _BOOLEAN_FIELDS else cell


def _members(line: bytes) -> Row:
    try:
        found = json.loads(_text(line), object_pairs_hook=_object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise BadLine(f"is no JSON: {error.msg} at character {error.colno}") from None
    except (ValueError, RecursionError):
        # A number of thousands of digits, or brackets within brackets.
        raise BadLine("is no JSON that anybody would write") from None
    if not isinstance(found, dict):
        raise BadLine("is no JSON object")
    return {name: value for name, value in found.items() if value is not None}


def _object(members: list[tuple[str, object]]) -> Row:
    if twice := _twice([name for name, _ in members]):
        raise BadLine(f"says twice: {', '.join(twice)}")
    return dict(members)


def _no_number(word: str) -> NoReturn:
    raise BadLine(f"is no JSON: {word} is no number")


def _twice(names: Collection[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
