"""What is the rule? An instrument is listed once; a bar is consistent, closes once and never changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, MetaData, PrimaryKeyConstraint, UniqueConstraint, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from libs.kit.backbone import add_backbone
from libs.kit.errors import Invalid
from libs.kit.model import Moment, Money, Versioned
from libs.kit.personal_data.erased import add_erased_workspaces
from libs.kit.rate_limits import add_rate_limits
from libs.schema.marketdata import BarClosed, InstrumentListed
from libs.schema.values import Timeframe


class Base(DeclarativeBase):
    """The tables of this context."""

    metadata = MetaData(schema="marketdata")


add_backbone(Base.metadata)
add_rate_limits(Base.metadata)
add_erased_workspaces(Base.metadata)


class AssetClass(StrEnum):
    """What kind of thing is traded."""

    EQUITY = "EQUITY"
    FX = "FX"
    CRYPTO = "CRYPTO"
    FUTURE = "FUTURE"


class Instrument(Versioned, Base):
    """Something that can be traded, known by its symbol."""

    __tablename__ = "instrument"
    __table_args__ = (UniqueConstraint("symbol", name="instrument_symbol"),)

    symbol: Mapped[str]
    name: Mapped[str]
    asset_class: Mapped[str]
    currency: Mapped[str]
    time_zone: Mapped[str | None]
    """Of its exchange, where the listing says it."""

    def list_for_trading(self, at: datetime) -> list[InstrumentListed]:
        """Tell that the instrument can be traded from `at` on."""
        return [
            InstrumentListed(
                occurred_at=at,
                instrument_id=self.id,
                symbol=self.symbol,
                name=self.name,
                asset_class=self.asset_class,
                currency=self.currency,
                time_zone=self.time_zone,
            )
        ]


_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bar:
    """Open, high, low and close of one instrument over [open_time, open_time + timeframe).

    Raises Invalid when high or low contradict the other prices, or when it closes after the last moment of all.
    """

    symbol: str
    timeframe: Timeframe
    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    def __post_init__(self) -> None:
        """Check the prices against each other, and the time."""
        if self.high < max(self.open, self.low, self.close):
            raise Invalid("high", f"{self.high} is below another price of the bar")
        if self.low > min(self.open, self.close):
            raise Invalid("low", f"{self.low} is above another price of the bar")
        if self.open_time > _END - self.timeframe.duration:
            raise Invalid("open_time", "the bar closes after the year 9999")

    @property
    def key(self) -> tuple[str, Timeframe, datetime]:
        """What a bar is known by."""
        return self.symbol, self.timeframe, self.open_time

    @property
    def close_time(self) -> datetime:
        """The first moment that the bar does not cover."""
        return self.open_time + self.timeframe.duration


class Series(Versioned, Base):
    """All bars of one instrument and timeframe; its lock orders their events."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("symbol", "timeframe", name="series_symbol_timeframe"),)

    symbol: Mapped[str] = mapped_column(ForeignKey("marketdata.instrument.symbol"))
    timeframe: Mapped[str]

    def close(self, bar: Bar) -> list[BarClosed]:
        """Tell that a bar is complete."""
        return [
            BarClosed(
                occurred_at=bar.close_time,
                symbol=bar.symbol,
                timeframe=bar.timeframe,
                open_time=bar.open_time,
                open=bar.open,
                high=bar.high,
                low=bar.low,
                close=bar.close,
                volume=bar.volume,
            )
        ]


class BarRow(Base):
    """A bar as it is kept."""

    __tablename__ = "bar"
    __table_args__ = (
        PrimaryKeyConstraint("symbol", "timeframe", "open_time", name="bar_pkey"),
        CheckConstraint("high >= greatest(open, low, close) AND low <= least(open, close)", name="bar_consistent"),
        CheckConstraint("low > 0 AND volume >= 0", name="bar_positive"),
    )

    symbol: Mapped[str]
    timeframe: Mapped[str]
    open_time: Mapped[Moment]
    open: Mapped[Money]
    high: Mapped[Money]
    low: Mapped[Money]
    close: Mapped[Money]
    volume: Mapped[Money]
    series_id: Mapped[UUID] = mapped_column(ForeignKey("marketdata.series.id"))
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    def bar(self) -> Bar:
        """The bar as a value."""
        return Bar(
            self.symbol,
            Timeframe(self.timeframe),
            self.open_time,
            self.open,
            self.high,
            self.low,
            self.close,
            self.volume,
        )
