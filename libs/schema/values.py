"""Which values do events and APIs share? Money, quantities, symbols, times and their wire forms.

Decimals travel as strings, in plain notation, so that no reader turns them into binary floats on the way.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer, StringConstraints

_MAX_DIGITS = 20
_DECIMAL_PLACES = 8


def plain(value: Decimal) -> str:
    """`value` without exponent and without trailing zeros: `100`, `0.5`."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") or "0" if "." in text else text


def plain_money(value: Decimal) -> str:
    """`value` without exponent and with at least two decimals: `100.00`, `353.50`, `0.00000001`."""
    whole, _, decimals = plain(value).partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def _refuse_binary_float(value: object) -> object:
    if isinstance(value, float):
        msg = "send decimals as strings, not as JSON floats, so that no digit is lost"
        raise ValueError(msg)  # noqa: TRY004 pydantic turns only ValueError into a field error
    return value


def _refuse_numbers(value: object) -> object:
    """A number, also one in a text, would be read as seconds or milliseconds since 1970, whichever seems likelier."""
    if isinstance(value, int | float) or (isinstance(value, str) and value[4:5] != "-"):
        raise ValueError("should look like 2026-01-31T15:30:00Z")
    return value


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this moment is outside of the years 1 to 9999 in UTC") from error


_Exact = BeforeValidator(_refuse_binary_float, json_schema_input_type=str)
# Bounds stand before the check: so they are pydantic's own, and fast.
_Digits = Field(max_digits=_MAX_DIGITS, decimal_places=_DECIMAL_PLACES)

_Sum = Field(max_digits=28, decimal_places=_DECIMAL_PLACES)

Amount = Annotated[Decimal, _Sum, _Exact, PlainSerializer(plain_money, return_type=str)]
"""A signed amount of money; the currency is named beside it."""
Price = Annotated[Decimal, Field(gt=0), _Digits, _Exact, PlainSerializer(plain_money, return_type=str)]
"""A price per unit, greater than zero."""
Quantity = Annotated[Decimal, Field(gt=0), _Digits, _Exact, PlainSerializer(plain, return_type=str)]
"""How much is traded, greater than zero."""
SignedQuantity = Annotated[Decimal, _Digits, _Exact, PlainSerializer(plain, return_type=str)]
"""A holding: positive long, negative short, zero flat."""
Volume = Annotated[Decimal, Field(ge=0), _Digits, _Exact, PlainSerializer(plain, return_type=str)]
"""How much of an order, zero or more."""
BarVolume = Annotated[Decimal, Field(ge=0), _Sum, _Exact, PlainSerializer(plain, return_type=str)]
"""How much was traded in a bar, zero or more: of what costs next to nothing, hundreds of millions of millions a day."""
Ratio = Annotated[Decimal, Field(max_digits=28, decimal_places=12), _Exact, PlainSerializer(plain, return_type=str)]
"""A number without unit: a return, a ratio, an indicator's value."""
Confidence = Annotated[Decimal, Field(ge=0, le=1, decimal_places=4), _Exact, PlainSerializer(plain, return_type=str)]
"""How sure a signal is, from 0 to 1."""

Keyword = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,49}$")]
"""One of a list of words that grows; who meets one that they do not know says so."""
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3,5}$")]
"""ISO 4217 code, or the usual code of a crypto currency."""
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9^][A-Z0-9./^=_&-]{0,31}$")]
"""The instrument's ticker, in capitals, as exchanges and vendors write it: `BRK.B`, `M&M`, `^NSEI`, `BTC/USDT`."""
UtcDatetime = Annotated[AwareDatetime, BeforeValidator(_refuse_numbers), AfterValidator(_to_utc)]
"""A moment with its zone, kept in UTC."""


class Side(StrEnum):
    """FIX tag 54: which way an order trades."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """FIX tag 40: how an order is priced."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class TimeInForce(StrEnum):
    """FIX tag 59: how long an order lives."""

    DAY = "DAY"
    GTC = "GTC"


class SignalType(StrEnum):
    """What a strategy asks for: BUY opens a long, SELL ends it, SHORT opens a short, COVER ends it."""

    BUY = "BUY"
    SELL = "SELL"
    SHORT = "SHORT"
    COVER = "COVER"


class Timeframe(StrEnum):
    """The length of a bar. A bar covers [open_time, open_time + duration)."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def duration(self) -> timedelta:
        """The time that a bar covers."""
        return _DURATIONS[self]


_DURATIONS = {
    Timeframe.M1: timedelta(minutes=1),
    Timeframe.M5: timedelta(minutes=5),
    Timeframe.M15: timedelta(minutes=15),
    Timeframe.M30: timedelta(minutes=30),
    Timeframe.H1: timedelta(hours=1),
    Timeframe.H4: timedelta(hours=4),
    Timeframe.D1: timedelta(days=1),
}
