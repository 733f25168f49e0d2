"""What does market data tell? Instruments, closed bars, and what was wrong about them."""

from __future__ import annotations

from uuid import UUID

from libs.schema.event import DomainEvent
from libs.schema.values import BarVolume, Currency, Price, Symbol, Timeframe, UtcDatetime


class InstrumentListed(DomainEvent, topic="marketdata.v1", key="symbol"):
    """An instrument can be traded from now on."""

    instrument_id: UUID
    symbol: Symbol
    name: str
    asset_class: str
    currency: Currency
    time_zone: str | None = None
    """Whose midnight ends the exchange's day; where it is left out, the symbol's suffix may tell."""


class BarClosed(DomainEvent, topic="bars.v1", key="symbol"):
    """A bar of one instrument is complete. `occurred_at` is its close; it covers [open_time, occurred_at)."""

    symbol: Symbol
    timeframe: Timeframe
    open_time: UtcDatetime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: BarVolume
    backfilled: bool = False
    """Imported history: it informs and warms up, and nothing is traded, decided or valued because of it."""


class BarCorrected(DomainEvent, topic="bars.v1", key="symbol"):
    """A bar that was told of before had wrong figures. `occurred_at` is its close, as it was; what is right comes first.

    It follows the bar's BarClosed, and each correction follows the one before it, in the sequence of their series.
    """

    symbol: Symbol
    timeframe: Timeframe
    open_time: UtcDatetime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: BarVolume
    previous_open: Price
    previous_high: Price
    previous_low: Price
    previous_close: Price
    previous_volume: BarVolume
