"""What a file means is what its writer meant, or it is refused with what to do: symbols, moments, units, noise, doubles."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from services.marketdata.csv_bars import CsvError, Line, Reading, currencies_of, read_lines
from tests.marketdata.test_csv_bars import FIRST, HEADER, SECOND, a_file

DAY = "2024-03-01"


def read(path: Path, **said: object) -> list[Line]:
    return read_lines(path, Reading(**said))  # type: ignore[arg-type]


def moment_of(folder: Path, date: str) -> datetime:
    [line] = read(a_file(folder, "timestamp,open,high,low,close,volume", f"{date},1,1,1,1,1"))
    return line.bar.open_time


@pytest.mark.parametrize(
    "symbol",
    ["BRK.B", "0700.HK", "RELIANCE.NS", "RELIANCE-EQ", "BAJAJ-AUTO", "M&M", "J&KBANK", "^NSEI", "EURGBP=X", "A.B.C"],
)
def test_all_of_a_files_name_is_the_symbol(tmp_path: Path, symbol: str) -> None:
    plain = a_file(tmp_path, HEADER, FIRST, name=f"{symbol}.csv")
    small = tmp_path / f"{symbol.lower()}.CSV.GZ"
    small.write_bytes(gzip.compress(plain.read_bytes()))
    assert [line.bar.symbol for path in (plain, small) for line in read(path)] == [symbol, symbol]


@pytest.mark.parametrize("name", ["my prices.csv", "AAPL (1).csv", "AAPL.txt", "AAPL", ".csv", "_AAPL.csv"])
def test_a_name_that_is_no_symbol_is_refused_with_what_to_do(tmp_path: Path, name: str) -> None:
    path = a_file(tmp_path, HEADER, FIRST, name=name)
    with pytest.raises(CsvError, match="is no symbol: name the instrument with --symbol, or in a column ticker"):
        read(path)
    assert [line.bar.symbol for line in read(path, symbol="BTC/USDT")] == ["BTC/USDT"]


def test_a_symbol_is_told_once(tmp_path: Path) -> None:
    path = a_file(tmp_path, f"Ticker,{HEADER}", f"M&M,{FIRST}")
    assert [line.bar.symbol for line in read(path)] == ["M&M"]
    with pytest.raises(CsvError, match="line 1: a column names the instruments: leave --symbol out"):
        read(path, symbol="IBM")
    with pytest.raises(CsvError, match="--symbol 'm m' is no symbol"):
        read(a_file(tmp_path, HEADER, FIRST), symbol="m m")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2024-01-02", datetime(2024, 1, 2, tzinfo=UTC)),
        ("2024-01-02 00:00:00-05:00", datetime(2024, 1, 2, 5, tzinfo=UTC)),
        ("2024-07-02T09:30+0530", datetime(2024, 7, 2, 4, tzinfo=UTC)),
        ("2024-01-02T15:30:00.250000Z", datetime(2024, 1, 2, 15, 30, 0, 250_000, tzinfo=UTC)),
        (" 2024-01-02 15:30 ", datetime(2024, 1, 2, 15, 30, tzinfo=UTC)),
        ("1780012800", datetime(2026, 5, 29, tzinfo=UTC)),
        ("1780012800000", datetime(2026, 5, 29, tzinfo=UTC)),
        ("1735689600000000", datetime(2025, 1, 1, tzinfo=UTC)),
        ("1735689600000000000", datetime(2025, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_the_one_that_was_meant(tmp_path: Path, written: str, meant: datetime) -> None:
    assert moment_of(tmp_path, written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "20240102", "20240102 170000", "2024-W01-2", "01/02/2024", "2/1/2024", "45293", "178001280", "17800128000",
        "178001280000", "17800128000000", "178001280000000", "17800128000000000", "1735689600000000001", "0735689600000",
        "1780012800000.0", "1.7800128e12", "-1780012800000", "1780-01-28 0000", "2024-13-01", "2024-01-02T25:00",
        "١٧٨٠٠١٢٨٠٠٠٠٠", "yesterday", "",
    ],
)  # fmt: skip
def test_a_date_that_could_be_another_one_is_refused(tmp_path: Path, written: str) -> None:
    with pytest.raises(CsvError, match="line 2, date: "):
        moment_of(tmp_path, written)


NOISE = "2024-01-02,71.52999877929688,72.20999908447266,70.9800033569336,71.68000030517578,8000000"
AGAIN = "2024-01-02,71.53000001,72.20999145,70.98001099,71.67999268,8000000"


def test_the_noise_of_binary_floats_is_refused_with_what_to_do(tmp_path: Path) -> None:
    said = r"line 2, open: Decimal input should have no more than 8 decimal places; .*import the file with --decimals"
    with pytest.raises(CsvError, match=said):
        read(a_file(tmp_path, HEADER, NOISE))


def test_prices_are_rounded_to_the_decimals_that_they_have_so_that_another_days_noise_is_the_same(
    tmp_path: Path,
) -> None:
    [first] = read(a_file(tmp_path, HEADER, NOISE), decimals=2)
    [again] = read(a_file(tmp_path, HEADER, AGAIN), decimals=2)
    assert first.bar.prices == tuple(map(Decimal, ("71.53", "72.21", "70.98", "71.68")))
    assert first.bar == again.bar


def test_rounding_is_half_even_and_leaves_volumes_alone(tmp_path: Path) -> None:
    [line] = read(a_file(tmp_path, HEADER, "2024-01-02,1.005,1.015,0.995,1.0050000001,0.123456785"), decimals=2)
    assert line.bar.prices == tuple(map(Decimal, ("1", "1.02", "1", "1.01")))
    assert line.bar.volume == Decimal("0.12345678")


PENCE = f"{DAY},462.00,465.50,459.10,463.25,40000000"


@pytest.mark.parametrize("unit", ["GBX", "GBp"])
def test_pence_are_hundredths_of_a_pound_to_the_last_digit(tmp_path: Path, unit: str) -> None:
    by_option = read(a_file(tmp_path, HEADER, PENCE, name="BP.L.csv"), currency=unit)
    by_column = read(a_file(tmp_path, f"{HEADER},Currency", f"{PENCE},{unit}", name="BP.L.csv"))
    assert by_option == by_column
    [line] = by_option
    assert (line.currency, line.bar.close, line.bar.volume) == ("GBP", Decimal("4.6325"), 40_000_000)
    assert 10 * line.bar.close == Decimal("46.325")


def test_each_line_of_a_column_says_what_its_prices_are_in(tmp_path: Path) -> None:
    path = a_file(tmp_path, f"Ticker,Currency,{HEADER}", f"BP.L,GBX,{FIRST}", f"RELIANCE.NS,INR,{FIRST}", f"X,,{FIRST}")
    assert currencies_of(read(path)) == {"BP.L": "GBP", "RELIANCE.NS": "INR", "X": None}


@pytest.mark.parametrize(
    ("unit", "option", "said"),
    [
        ("usd", None, "line 2, currency: 'usd' is none; it should look like USD, or be one of GBX, GBp"),
        ("£", None, "line 2, currency: '£' is none"),
        ("GBP", "USD", "line 2, currency: GBP here, and --currency USD"),
        ("GBp", "GBP", "line 2, currency: GBp here, and --currency GBP"),
    ],
)
def test_what_is_no_currency_or_contradicts_the_option_is_refused(
    tmp_path: Path, unit: str, option: str | None, said: str
) -> None:
    with pytest.raises(CsvError, match=re.escape(said)):
        read(a_file(tmp_path, f"{HEADER},Currency", f"{FIRST},{unit}"), currency=option)


def test_an_instrument_is_not_quoted_in_two_currencies(tmp_path: Path) -> None:
    path = a_file(tmp_path, f"{HEADER},Currency", f"{FIRST},GBX", f"{SECOND},USD")
    with pytest.raises(CsvError, match=r"line 3, currency: USD for AAPL, and GBP in .*AAPL\.csv, line 2"):
        currencies_of(read(path))


def test_a_bar_that_comes_twice_with_other_figures_is_named_by_both_lines(tmp_path: Path) -> None:
    days = [f"20{year}-{month:02}-{day:02},20,20.5,19.5,20.1,{year}" for year in range(10, 40) for month in range(1, 13)
            for day in (1, 8, 15)][:1_003]  # fmt: skip
    path = a_file(tmp_path, HEADER, *days, days[-1] + "5")
    last = days[-1].split(",")[0]
    said = f"{path}, line 1005: AAPL 1d {last}T00:00:00+00:00 contradicts {path}, line 1004"
    with pytest.raises(CsvError, match=re.escape(said)):
        read(path)
    assert len(read(a_file(tmp_path, HEADER, *days, days[-1]))) == 1_004


def test_a_volume_of_more_than_a_million_millions_is_read_to_the_last_digit(tmp_path: Path) -> None:
    path = a_file(tmp_path, HEADER, "2021-10-27,0.0000489,0.00008845,0.00004855,0.00007934,116204335871944.00000001")
    [line] = read(path)
    assert line.bar.volume == Decimal("116204335871944.00000001")
