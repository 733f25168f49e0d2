"""What does market data tell? Instruments and closed bars."""

from __future__ import annotations

from uuid import UUID

from libs.schema.event import DomainEvent
from libs.schema.values import Currency, Price, Symbol, Timeframe, UtcDatetime, Volume


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
    volume: Volume
