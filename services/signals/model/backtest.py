"""What is kept for backtests, and of them?"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.model import Moment, Money, TenantOwned
from libs.schema.exchanges import reports_volume
from libs.schema.signals import BacktestCompleted
from libs.schema.values import Timeframe
from services.signals.backtest import BacktestReport
from services.signals.model.json_column import JsonOf
from services.signals.model.metadata import Base
from services.signals.rules import PARAMETERS, Bar, Parameters


class BarRow(Base):
    """The copy of a closed bar that backtests run on; bars belong to everybody."""

    __tablename__ = "bar"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    timeframe: Mapped[str] = mapped_column(primary_key=True)
    open_time: Mapped[Moment] = mapped_column(primary_key=True)
    open: Mapped[Money]
    high: Mapped[Money]
    low: Mapped[Money]
    close: Mapped[Money]
    volume: Mapped[Money]

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


class Instrument(Base):
    """What market data says of an instrument, as far as backtests go by it; it belongs to everybody."""

    __tablename__ = "instrument"

    symbol: Mapped[str] = mapped_column(primary_key=True)
    currency: Mapped[str]
    asset_class: Mapped[str]

    @property
    def reports_volume(self) -> bool:
        """Whether a bar without volume says that nothing was traded."""
        return reports_volume(self.symbol, self.asset_class)


class Backtest(TenantOwned, Base):
    """A rule that was run over past bars, and what came of it."""

    __tablename__ = "backtest"
    __table_args__ = (Index("backtest_tenant", "tenant_id", "created_at", "id"),)

    user_id: Mapped[UUID]
    symbol: Mapped[str]
    timeframe: Mapped[str]
    parameters: Mapped[Parameters] = mapped_column(JsonOf(PARAMETERS))
    size: Mapped[Money]
    initial_cash: Mapped[Money]
    commission_rate: Mapped[Money]
    start_time: Mapped[Moment]
    """The open of the first bar."""
    end_time: Mapped[Moment]
    """The close of the last bar."""
    report: Mapped[BacktestReport] = mapped_column(JsonOf(TypeAdapter(BacktestReport)))

    def completed(self, at: datetime) -> list[BacktestCompleted]:
        """Tell that it ran."""
        return [
            BacktestCompleted(
                occurred_at=at,
                backtest_id=self.id,
                symbol=self.symbol,
                timeframe=Timeframe(self.timeframe),
                trades=len(self.report.trades),
                total_return=self.report.metrics.total_return,
            )
        ]
