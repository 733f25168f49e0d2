"""How are bars read from CSV? The whole file first, so that a bad line is named and nothing is half-imported.

A file has a header with date (or time), open, high, low, close and volume, in any order and case; other columns are
left alone, and so are blank rows. A ticker (or symbol) column names each line's instrument; without one, the file's
name does: `BRK.B.csv`. A currency column says what prices are in; nothing else in a file does. Rows may stand in any
order, and a bar twice as long as its figures are the same.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from libs.kit.errors import FillstreamError, Rejected
from libs.schema.values import BarVolume, Currency, Price, Symbol, Timeframe, UtcDatetime
from services.marketdata.model import HUNDREDTHS, Bar

_ALIASES = {"time": "date", "datetime": "date", "timestamp": "date", "ticker": "symbol"}
_PRICES = ("open", "high", "low", "close")
_REQUIRED = ("date", *_PRICES, "volume")
_VOLUME_DECIMALS = 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Only lengths that mean one unit for every day of 2001 to 2286; a microsecond is the shortest that a moment can tell.
_MICROSECONDS = {10: Decimal(1_000_000), 13: Decimal(1_000), 16: Decimal(1), 19: Decimal("0.001")}
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_NAME = re.compile(r"(.+)\.csv(?:\.gz)?", re.IGNORECASE)
_SYMBOL, _CURRENCY = TypeAdapter(Symbol), TypeAdapter(Currency)


class CsvError(FillstreamError):
    """A file can't be read as bars; the text names file, line and reason."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file leaves open, as whoever reads it says."""

    timeframe: Timeframe = Timeframe.D1
    symbol: str | None = None
    """The instrument of a file without a ticker column; None lets the file's name say it."""
    currency: str | None = None
    """What prices are in, where no column says it: a currency, or a hundredth of one such as GBX."""
    decimals: int | None = None
    """How many decimals prices have; more of them are a binary float's noise and rounded half-even. None: as written."""


@dataclass(frozen=True, slots=True)
class Line:
    """A bar, where it stands, and what its prices are in, as far as that is said."""

    file: Path
    number: int
    bar: Bar
    currency: Currency | None

    @property
    def place(self) -> str:
        """What to call the line."""
        return f"{self.file}, line {self.number}"


class _Cells(BaseModel):
    model_config = ConfigDict(extra="ignore")

    symbol: Symbol
    date: UtcDatetime = Field(description="when the bar opens")
    open: Price
    high: Price
    low: Price
    close: Price
    volume: BarVolume

    @field_validator("date", mode="before")
    @classmethod
    def _in_utc(cls, value: str) -> datetime:
        return _moment(value.strip())

    def bar(self, timeframe: Timeframe) -> Bar:
        return Bar(self.symbol, timeframe, self.date, self.open, self.high, self.low, self.close, self.volume)


def read_lines(path: Path, reading: Reading) -> list[Line]:
    """The bars of a `.csv` or `.csv.gz` file, in the file's order; times without zone are UTC. Raises CsvError."""
    try:
        return without_contradictions([_line(path, number, row, reading) for number, row in _rows(path, reading)])
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise CsvError(f"{path} can't be read: {error}") from error


def without_contradictions(lines: list[Line]) -> list[Line]:
    """The lines as they are. Raises CsvError when two of them tell the same bar with other figures."""
    first: dict[object, Line] = {}
    for line in lines:
        known = first.setdefault(line.bar.key, line)
        if known.bar != line.bar:
            raise CsvError(f"{line.place}: {line.bar} contradicts {known.place}; one of the two is wrong")
    return lines


def currencies_of(lines: Iterable[Line]) -> dict[Symbol, Currency | None]:
    """What each instrument is quoted in, as far as it is said. Raises CsvError where lines say different things."""
    first: dict[Symbol, Line] = {}
    for line in lines:
        known = first.setdefault(line.bar.symbol, line)
        if known.currency != line.currency:
            raise CsvError(
                f"{line.place}, currency: {line.currency or 'none'} for {line.bar.symbol}, "
                f"and {known.currency or 'none'} in {known.place}"
            )
    return {symbol: line.currency for symbol, line in first.items()}


def symbol_of(path: Path) -> str:
    """What the file's name says as a symbol: all of it but `.csv` or `.csv.gz`, in capitals; empty for other names."""
    named = _NAME.fullmatch(path.name)
    return "" if named is None else named[1].upper()


def _rows(path: Path, reading: Reading) -> Iterator[tuple[int, dict[str, str]]]:
    # Spreadsheets begin a file with a byte order mark.
    with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        try:
            header = _header(path, next(reader, []))
            always = {} if "symbol" in header else {"symbol": _symbol(path, reading)}
            if "symbol" in header and reading.symbol is not None:
                raise CsvError(f"{path}, line 1: a column names the instruments: leave --symbol out")
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise CsvError(f"{path}, line {reader.line_num}: {len(cells)} cells, {len(header)} expected")
                yield reader.line_num, always | dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise CsvError(f"{path}, line {reader.line_num}: {error}") from error


def _header(path: Path, names: list[str]) -> list[str]:
    header = [_column(name) for name in names]
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise CsvError(f"{path}, line 1: there is no column {', '.join(missing)}{_hint(names)}")
    twice = [name for name in (*_REQUIRED, "symbol", "currency") if header.count(name) > 1]
    if twice:
        raise CsvError(f"{path}, line 1: there is more than one column {', '.join(twice)}")
    return header


def _hint(names: list[str]) -> str:
    other = next((mark for mark in (";", "\t", "|") if any(mark in name for name in names)), None)
    if other is not None:
        return f"; cells seem to be separated by {other!r}, and have to be by ','"
    if any(name[:1].isdigit() for name in names):
        return "; the first line has to name the columns"
    return ""


def _column(name: str) -> str:
    plain = name.strip().lower()
    return _ALIASES.get(plain, plain)


def _symbol(path: Path, reading: Reading) -> str:
    """The instrument of a file that names none in its lines."""
    said = symbol_of(path) if reading.symbol is None else reading.symbol
    try:
        return _SYMBOL.validate_python(said)
    except ValidationError as error:
        whose = f"{path}: its name" if reading.symbol is None else f"--symbol {said!r}"
        raise CsvError(f"{whose} is no symbol: name the instrument with --symbol, or in a column ticker") from error


def _line(path: Path, number: int, row: dict[str, str], reading: Reading) -> Line:
    place = f"{path}, line {number}"
    unit = _unit(place, row.get("currency", "").strip(), reading.currency)
    try:
        bar = _Cells.model_validate(_as_meant(row, -2 if unit in HUNDREDTHS else 0, reading.decimals)).bar(
            reading.timeframe
        )
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise CsvError(f"{place}, {_complaint(str(first['loc'][0]), first['type'], first['msg'])}") from error
    except Rejected as error:
        raise CsvError(f"{place}, {error.detail}") from error
    return Line(path, number, bar, None if unit is None else HUNDREDTHS.get(unit, unit))


def _complaint(column: str, kind: str, message: str) -> str:
    said = f"{column}: {message.removeprefix('Value error, ')}"
    if kind == "decimal_max_places":
        return (
            f"{said}; should that be the noise of a binary float, import the file with --decimals, which says how many "
            "decimals prices have"
        )
    return said


def _unit(place: str, told: str, option: str | None) -> str | None:
    """What a line's prices are in: a currency, or a hundredth of one. Capitals matter: GBp is not GBP."""
    if told and option is not None and told != option:
        raise CsvError(f"{place}, currency: {told} here, and --currency {option}")
    unit = told or option
    if unit is None or unit in HUNDREDTHS:
        return unit
    try:
        return _CURRENCY.validate_python(unit)
    except ValidationError as error:
        raise CsvError(
            f"{place}, currency: {unit!r} is none; it should look like USD, or be one of {', '.join(HUNDREDTHS)}"
        ) from error


def _as_meant(row: dict[str, str], exponent: int, decimals: int | None) -> dict[str, str | Decimal]:
    """The cells with prices in the currency itself, `exponent` powers of ten away, and without a float's noise."""
    if not exponent and decimals is None:
        return dict(row)
    prices = {name: _figure(row[name], decimals, exponent) for name in _PRICES}
    volume = {} if decimals is None else {"volume": _figure(row["volume"], _VOLUME_DECIMALS, 0)}
    return dict(row) | prices | volume


def _figure(text: str, decimals: int | None, exponent: int) -> str | Decimal:
    """The number that a cell means; the cell itself where it is none, so that it is refused like any other."""
    try:
        with localcontext(prec=60):
            figure = Decimal(text)
            if decimals is not None:
                figure = figure.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
            return figure.scaleb(exponent)
    except InvalidOperation:
        return text


def _moment(text: str) -> datetime:
    """The moment of an ISO 8601 date or time, or of an epoch number whose length says its unit; nothing is guessed."""
    if text.isascii() and text.isdigit() and len(text) in _MICROSECONDS and text[0] != "0":
        microseconds = int(text) * _MICROSECONDS[len(text)]
        if microseconds == int(microseconds):
            return _EPOCH + timedelta(microseconds=int(microseconds))
    if not _ISO.fullmatch(text):
        raise ValueError(
            f"{text!r} should look like 2026-01-31 or 2026-01-31T15:30:00Z, or be seconds, milliseconds, microseconds "
            "or nanoseconds since 1970 of 10, 13, 16 or 19 digits"
        )
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
