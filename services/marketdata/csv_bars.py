"""How are bars read from CSV? The whole file first, so that a bad line is named and nothing is half-imported.

A file has a header with date (or time), open, high, low, close and volume, in any order and case; other columns are
left alone, and so are empty lines. A ticker (or symbol) column names each line's instrument; without one, the file's
name does: `AAPL.csv`.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from libs.kit.errors import FillstreamError, Rejected
from libs.schema.values import Price, Symbol, Timeframe, UtcDatetime, Volume
from services.marketdata.model import Bar

_ALIASES = {"time": "date", "datetime": "date", "timestamp": "date", "ticker": "symbol"}
_REQUIRED = ("date", "open", "high", "low", "close", "volume")


class CsvError(FillstreamError):
    """A file can't be read as bars; the text names file, line and reason."""


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")

    symbol: Symbol
    date: UtcDatetime = Field(description="when the bar opens")
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume

    @field_validator("date", mode="before")
    @classmethod
    def _in_utc(cls, value: str) -> datetime:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment

    def bar(self, timeframe: Timeframe) -> Bar:
        return Bar(self.symbol, timeframe, self.date, self.open, self.high, self.low, self.close, self.volume)


def read_bars(path: Path, timeframe: Timeframe) -> list[Bar]:
    """The bars of a `.csv` or `.csv.gz` file, in the file's order; times without zone are UTC. Raises CsvError."""
    symbol = path.name.split(".")[0].upper()
    try:
        return [_bar(path, number, {"symbol": symbol} | row, timeframe) for number, row in _rows(path)]
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise CsvError(f"{path} can't be read: {error}") from error


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    # Spreadsheets begin a file with a byte order mark.
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            header = _header(path, next(reader, []))
            for cells in filter(None, reader):
                if len(cells) != len(header):
                    raise CsvError(f"{path}, line {reader.line_num}: {len(cells)} cells, {len(header)} expected")
                yield reader.line_num, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise CsvError(f"{path}, line {reader.line_num}: {error}") from error


def _header(path: Path, names: list[str]) -> list[str]:
    header = [_column(name) for name in names]
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise CsvError(f"{path}, line 1: there is no column {', '.join(missing)}")
    twice = [name for name in (*_REQUIRED, "symbol") if header.count(name) > 1]
    if twice:
        raise CsvError(f"{path}, line 1: there is more than one column {', '.join(twice)}")
    return header


def _column(name: str) -> str:
    plain = name.strip().lower()
    return _ALIASES.get(plain, plain)


def _bar(path: Path, number: int, row: dict[str, str], timeframe: Timeframe) -> Bar:
    try:
        return _Line.model_validate(row).bar(timeframe)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        column = ".".join(map(str, first["loc"]))
        raise CsvError(f"{path}, line {number}, {column}: {first['msg']}") from error
    except Rejected as error:
        raise CsvError(f"{path}, line {number}, {error.detail}") from error
