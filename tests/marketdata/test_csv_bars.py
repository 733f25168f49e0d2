"""A CSV file becomes bars, or one sentence that says which line is bad and why."""

from __future__ import annotations

import csv
import gzip
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.schema.values import Timeframe, plain
from services.marketdata.csv_bars import CsvError, Reading, read_lines
from services.marketdata.model import Bar

HEADER = "Date,Open,High,Low,Close,Volume"
FIRST = "2011-03-01,100,110.5,99.5,105,1000"
SECOND = "2011-03-02,105,106,104,104.5,900"


def a_file(folder: Path, *lines: str, name: str = "AAPL.csv", end: str = "\n") -> Path:
    path = folder / name
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def bars_of(path: Path) -> list[Bar]:
    return [line.bar for line in read_lines(path, Reading(Timeframe.D1))]


def a_bar(symbol: str = "AAPL", day: int = 1) -> Bar:
    prices = {1: ("100", "110.5", "99.5", "105", "1000"), 2: ("105", "106", "104", "104.5", "900")}[day]
    return Bar(symbol, Timeframe.D1, datetime(2011, 3, day, tzinfo=UTC), *map(Decimal, prices))


def test_a_plain_file_is_named_after_its_instrument(tmp_path: Path) -> None:
    assert bars_of(a_file(tmp_path, HEADER, FIRST, SECOND, name="aapl.csv")) == [a_bar(day=1), a_bar(day=2)]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((HEADER, FIRST, "", SECOND, ""), id="empty lines"),
        pytest.param((HEADER, FIRST, ",,,,,", "  ", " , ,,, ,", SECOND, ",,,"), id="blank rows"),
        pytest.param(("\ufeff" + HEADER, FIRST, SECOND), id="byte order mark"),
        pytest.param((HEADER, *(",".join(f'"{cell}"' for cell in line.split(",")) for line in (FIRST, SECOND))), id="quoted"),
        pytest.param((f"{HEADER},Adj Close,Note", f'{FIRST},1,"a, b"', f"{SECOND},2,"), id="more columns"),
        pytest.param((HEADER.replace("Date", " timestamp ").upper(), FIRST, SECOND), id="other names"),
        pytest.param((HEADER, FIRST.replace("2011-03-01", "2011-03-01T01:00:00+01:00"), SECOND), id="zone"),
        pytest.param((HEADER, FIRST.replace("105,", "1.05E2,"), SECOND), id="exponent"),
    ],
)  # fmt: skip
def test_the_same_bars_in_other_writing_are_the_same(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert bars_of(a_file(tmp_path, *lines)) == [a_bar(day=1), a_bar(day=2)]


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    assert bars_of(a_file(tmp_path, HEADER, FIRST, SECOND, end="\r\n")) == [a_bar(day=1), a_bar(day=2)]


def test_a_ticker_column_is_stronger_than_the_files_name(tmp_path: Path) -> None:
    path = a_file(tmp_path, f"Ticker,{HEADER}", f"IBM,{FIRST}", f"MSFT,{SECOND}", name="stocks.csv")
    assert bars_of(path) == [a_bar("IBM", 1), a_bar("MSFT", 2)]


def test_a_compressed_file_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv.gz").write_bytes(gzip.compress(f"{HEADER}\n{FIRST}\n{SECOND}\n".encode()))
    assert bars_of(tmp_path / "AAPL.csv.gz") == [a_bar(day=1), a_bar(day=2)]


def test_a_header_alone_has_no_bars(tmp_path: Path) -> None:
    assert bars_of(a_file(tmp_path, HEADER)) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("2011-03-02,NaN,106,104,104.5,900", "line 3, open: Input should be a finite number"),
        ("2011-03-02,105,inf,104,104.5,900", "line 3, high: Input should be a finite number"),
        ("2011-03-02,105,106,-104,104.5,900", "line 3, low: Input should be greater than 0"),
        ("2011-03-02,105,106,0,104.5,900", "line 3, low: Input should be greater than 0"),
        (f"2011-03-02,105,106,104,{'1' * 30},900", "line 3, close: Decimal input should have no more than 20 digits"),
        ("2011-03-02,105.123456789,106,104,104.5,9", "line 3, open: Decimal input should have no more than 8 decimal"),
        ("2011-03-02,105,106,104,104.5,-1", "line 3, volume: Input should be greater than or equal to 0"),
        ("2011-03-02,105,106,104,,900", "line 3, close: Input should be a valid decimal"),
        ("2011-03-02,105,106,104,abc,900", "line 3, close: Input should be a valid decimal"),
        ("2011-03-02,null,null,null,null,null", "line 3, open: Input should be a valid decimal"),
        (
            "2011-03-02,105,106,104,104.5,1e21",
            "line 3, volume: Decimal input should have no more than 20 digits before",
        ),
        ("9999-12-31,105,106,104,104.5,900", "line 3, open_time: the bar closes after the year 9999"),
        ("0001-01-01T00:00:00+10:00,105,106,104,104.5,9", "line 3, date: this moment is outside"),
        ("2011-03-02,105,104,103,104,900", "line 3, high: 104 is below another price of the bar"),
        ("2011-03-02,105,106,104.6,104.5,900", "line 3, low: 104.6 is above another price of the bar"),
        ("2011-03-02,105,106,104,104.5", "line 3: 5 cells, 6 expected"),
        ("2011-03-02,105,106,104,104.5,900,7", "line 3: 7 cells, 6 expected"),
        ('2011-03-02,"105,106,104,104.5,900', "line 3: unexpected end of data"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_its_column(tmp_path: Path, bad: str, said: str) -> None:
    path = a_file(tmp_path, HEADER, FIRST, bad)
    with pytest.raises(CsvError, match="^" + re.escape(f"{path}, {said}")):
        bars_of(path)


def test_the_number_counts_empty_and_broken_lines_too(tmp_path: Path) -> None:
    with pytest.raises(CsvError, match=r"line 5, open: "):
        bars_of(
            a_file(tmp_path, f"{HEADER},note", "", f'{FIRST},"in two', 'lines"', "2011-03-02,x,106,104,104.5,900,-")
        )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "line 1: there is no column date, open, high, low, close, volume"),
        (("Date,Open,High,Low,Volume", "2011-03-01,1,1,1,1"), "line 1: there is no column close"),
        ((f"{HEADER},Time", f"{FIRST},09:30"), "line 1: there is more than one column date"),
        (
            ("20240102 170000;1.0946;1.09471;1.09459;1.09464;0",),
            "cells seem to be separated by ';', and have to be by ','",
        ),
        ((HEADER.replace(",", ";"), FIRST), "cells seem to be separated by ';', and have to be by ','"),
        ((HEADER.replace(",", "\t"), FIRST), "cells seem to be separated by '\\t', and have to be by ','"),
        ((FIRST, SECOND), "the first line has to name the columns"),
        (('Date,"Open',), "line 1: unexpected end of data"),
    ],
)
def test_a_bad_header_is_told(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(CsvError, match=re.escape(said)):
        bars_of(a_file(tmp_path, *lines))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("AAPL.csv", HEADER.encode() + b"\n\xff\xfe"),
        ("AAPL.csv.gz", HEADER.encode()),
        ("AAPL.csv.gz", gzip.compress(b"x" * 100)[:-12]),
        ("AAPL.csv.gz", gzip.compress(HEADER.encode())[:10] + b"\xff" * 20),
        ("AAPL.csv", None),
    ],
    ids=["not text", "not compressed", "cut off", "corrupted", "absent"],
)
def test_what_cannot_be_read_is_told_with_its_path(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CsvError, match=re.escape(f"{tmp_path / name} can't be read: ")):
        bars_of(tmp_path / name)


figures = st.decimals(min_value=Decimal("0.00000001"), max_value=Decimal(999_999_999_999), places=8)
volumes = st.decimals(min_value=0, max_value=Decimal(10) ** 19, places=8)
symbols = st.from_regex(r"[A-Z0-9^][A-Z0-9./^=_&-]{0,31}", fullmatch=True)
columns = ["symbol", "date", "open", "high", "low", "close", "volume"]


@st.composite
def any_bar(draw: st.DrawFn) -> Bar:
    open_, close, *others = (draw(figures) for _ in range(4))
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=draw(st.integers(0, 10**15)))
    prices = (open_, max(open_, close, *others), min(open_, close, *others), close)
    return Bar(draw(symbols), Timeframe.D1, moment, *prices, draw(volumes))


@given(
    st.lists(any_bar(), max_size=8, unique_by=lambda bar: bar.key),
    st.permutations(columns),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(0, 3),
)
def test_what_is_written_is_read_whatever_the_columns_order(
    tmp_path_factory: pytest.TempPathFactory, bars: list[Bar], order: list[str], end: str, quoting: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.csv.gz"
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, order, lineterminator=end, quoting=[csv.QUOTE_MINIMAL, csv.QUOTE_ALL][quoting % 2])
    writer.writeheader()
    for bar in bars:
        prices = {name: plain(getattr(bar, name)) for name in columns[2:]}
        writer.writerow({"symbol": bar.symbol, "date": bar.open_time.isoformat()} | prices)
    path.write_bytes(gzip.compress(text.getvalue().encode("utf-8-sig" if quoting > 1 else "utf-8")))
    assert bars_of(path) == bars
