"""Who asked over HTTP? People with strategies, readers of signals, and whoever wants to know how it would have gone."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import InitErrorDetails

from libs.kit.db import Tx
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.idempotency import IdempotencyKey, once
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.routes import Router
from libs.kit.ids import uuid7
from libs.kit.security import Caller, requires
from libs.schema.signals import StrategyStatus
from libs.schema.values import (
    Amount,
    Confidence,
    Price,
    Quantity,
    Ratio,
    SignalType,
    SignedQuantity,
    Symbol,
    Timeframe,
    UtcDatetime,
)
from services.signals import commands, queries
from services.signals.backtest import BacktestReport, Leg, report, run
from services.signals.model import Backtest, Instrument, Signal, Strategy, StrategyDraft
from services.signals.rules import Bar, Parameters, Stance

router = Router()

# PostgreSQL keeps every character but this one.
_NO_NUL = r"^[^\x00]*$"
_A_RULE: dict[str, JsonValue] = {"kind": "sma_cross", "fast": 20, "slow": 50}

Reader = Annotated[Caller, Depends(requires("strategies:read"))]
Writer = Annotated[Caller, Depends(requires("strategies:write"))]
SignalReader = Annotated[Caller, Depends(requires("signals:read"))]
Size = Annotated[Quantity, Field(le=10**9)]


def _name_the_field(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    """Take the kind out of the errors' places, where pydantic puts the tag of the union."""
    try:
        return validate(value)
    except ValidationError as error:
        details = [
            InitErrorDetails(type=e["type"], loc=e["loc"][1:], input=e["input"], ctx=e.get("ctx", {}))
            for e in error.errors()
        ]
        raise ValidationError.from_exception_data(error.title, details) from error


ParametersIn = Annotated[Parameters, WrapValidator(_name_the_field)]


class StrategyIn(BaseModel):
    """A strategy to begin with the next bar that closes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"name": "trend", "symbol": "AAPL", "size": "100", "parameters": _A_RULE}]},
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=_NO_NUL)]
    description: Annotated[str, StringConstraints(max_length=2_000, pattern=_NO_NUL)] = ""
    symbol: Symbol
    timeframe: Timeframe = Timeframe.D1
    size: Size
    """How much one full position is."""
    parameters: ParametersIn

    def draft(self) -> StrategyDraft:
        """The strategy as the model knows it."""
        return StrategyDraft(self.name, self.description, self.symbol, self.timeframe, self.size, self.parameters)


class StrategyOut(BaseModel):
    """A strategy and where it stands."""

    id: UUID
    name: str
    description: str
    symbol: Symbol
    timeframe: Timeframe
    size: Quantity
    parameters: Parameters
    status: StrategyStatus
    stance: Stance
    last_bar_time: UtcDatetime | None
    """The open time of the last bar that it looked at."""
    created_at: UtcDatetime

    @classmethod
    def of(cls, strategy: Strategy) -> Self:
        """The strategy as clients see it."""
        return cls.model_validate(strategy, from_attributes=True)


class SignalOut(BaseModel):
    """A change of what a strategy wants, decided at a bar's close (`occurred_at`)."""

    id: UUID
    strategy_id: UUID
    strategy_name: str
    symbol: Symbol
    timeframe: Timeframe
    signal_type: SignalType
    quantity: Quantity
    target_position: SignedQuantity
    confidence: Confidence
    entry_price: Price
    target_price: Price | None
    stop_loss: Price | None
    valid_until: UtcDatetime
    indicators: dict[str, Ratio]
    occurred_at: UtcDatetime

    @classmethod
    def of(cls, signal: Signal) -> Self:
        """The signal as clients see it."""
        return cls.model_validate(signal, from_attributes=True)


class BacktestIn(BaseModel):
    """A rule to run over the bars of one instrument with `start` <= open time < `end`."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"symbol": "AAPL", "size": "100", "parameters": _A_RULE}]}
    )

    symbol: Symbol
    timeframe: Timeframe = Timeframe.D1
    size: Size
    parameters: ParametersIn
    start: UtcDatetime | None = None
    end: UtcDatetime | None = None
    initial_cash: Annotated[Amount, Field(ge=1, le=10**11)] = Decimal(100_000)
    commission_rate: Annotated[Ratio, Field(ge=0, le=1, decimal_places=8)] = Decimal("0.001")
    """The part of the notional that a fill costs."""

    def range(self) -> queries.BarRange:
        """Which bars."""
        return queries.BarRange(self.symbol, self.timeframe, self.start, self.end)

    def run(self, bars: list[Bar], instrument: Instrument | None, caller: Caller) -> Backtest:
        """What comes of it. Takes a while. What is known of the instrument is as market data says it."""
        legs = [Leg(self.symbol, self.parameters, self.size)]
        currency = instrument.currency if instrument else "USD"
        # As at the paper venue, bars of an instrument that nobody has listed trade whatever their volume.
        without_volume = () if instrument and instrument.reports_volume else (self.symbol,)
        result = run(legs, {self.symbol: bars}, self.initial_cash, self.commission_rate, currency, without_volume)
        return Backtest(
            id=uuid7(),
            tenant_id=caller.tenant_id,
            user_id=caller.user_id,
            version=0,
            symbol=self.symbol,
            timeframe=self.timeframe,
            parameters=self.parameters,
            size=self.size,
            initial_cash=self.initial_cash,
            commission_rate=self.commission_rate,
            start_time=bars[0].open_time,
            end_time=bars[-1].close_time,
            report=report(result),
        )


class BacktestOut(BaseModel):
    """A finished backtest."""

    id: UUID
    symbol: Symbol
    timeframe: Timeframe
    parameters: Parameters
    size: Quantity
    initial_cash: Amount
    commission_rate: Ratio
    start_time: UtcDatetime
    end_time: UtcDatetime
    report: BacktestReport
    created_at: UtcDatetime

    @classmethod
    def of(cls, backtest: Backtest) -> Self:
        """The backtest as clients see it."""
        return cls.model_validate(backtest, from_attributes=True)


@router.post("/v1/strategies", status_code=201, response_model=StrategyOut)
async def create_strategy(
    body: StrategyIn,
    caller: Writer,
    db: Db,
    cause: RequestCause,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Make a strategy, active at once. 403 when the plan allows no more of them."""

    async def work(tx: Tx) -> StrategyOut:
        return StrategyOut.of(await commands.create_strategy(tx, caller.tenant_id, caller.user_id, body.draft()))

    return await once(db, caller, cause, request, idempotency_key, 201, work)


@router.get("/v1/strategies")
async def strategies(
    caller: Reader,
    db: Db,
    wanted: Annotated[PageRequest, Depends(page_request)],
    symbol: Symbol | None = None,
    status: StrategyStatus | None = None,
) -> Page[StrategyOut]:
    """Strategies that are not deleted, the oldest first."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await queries.strategies(tx, queries.StrategyFilter(symbol, status), wanted)
        return page(found, wanted, StrategyOut.of, lambda row: Position(row.created_at, row.id))


@router.get("/v1/strategies/{strategy_id}")
async def strategy(strategy_id: UUID, caller: Reader, db: Db) -> StrategyOut:
    """One strategy."""
    async with db.transaction(caller.tenant_id) as tx:
        return StrategyOut.of(await queries.strategy(tx, strategy_id))


@router.post("/v1/strategies/{strategy_id}/pause")
async def pause_strategy(strategy_id: UUID, caller: Writer, db: Db, cause: RequestCause) -> StrategyOut:
    """Let the strategy see no bars for now. It keeps its state, and nothing that it holds is closed."""
    async with db.transaction(caller.tenant_id, cause) as tx:
        return StrategyOut.of(await commands.move_strategy(tx, strategy_id, StrategyStatus.PAUSED))


@router.post("/v1/strategies/{strategy_id}/resume")
async def resume_strategy(strategy_id: UUID, caller: Writer, db: Db, cause: RequestCause) -> StrategyOut:
    """Let the strategy go on with the next bar, as if the bars since it was paused had never been.

    403 when as many strategies are at work as the plan allows.
    """
    async with db.transaction(caller.tenant_id, cause) as tx:
        return StrategyOut.of(await commands.resume_strategy(tx, caller.tenant_id, strategy_id))


@router.delete("/v1/strategies/{strategy_id}", status_code=204)
async def delete_strategy(strategy_id: UUID, caller: Writer, db: Db, cause: RequestCause) -> None:
    """End the strategy for good. Its signals stay, and nothing that it holds is closed."""
    async with db.transaction(caller.tenant_id, cause) as tx:
        await commands.move_strategy(tx, strategy_id, StrategyStatus.DELETED)


@router.get("/v1/signals")
async def signals(
    caller: SignalReader,
    db: Db,
    wanted: Annotated[PageRequest, Depends(page_request)],
    chosen: Annotated[queries.SignalFilter, Depends()],
) -> Page[SignalOut]:
    """Signals, the newest first."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await queries.signals(tx, chosen, wanted)
        return page(found, wanted, SignalOut.of, lambda row: Position(row.occurred_at, row.id))


@router.post("/v1/backtests", status_code=201)
async def run_backtest(body: BacktestIn, caller: Writer, db: Db, cause: RequestCause) -> BacktestOut:
    """Run a rule over the bars that were seen so far, on a cash account as the paper venue keeps it.

    Orders that the account can't pay are told in `refused_orders`; initial cash is in the instrument's currency.
    """
    async with db.transaction(caller.tenant_id) as tx:
        bars = await queries.bars(tx, body.range())
        instrument = await queries.instrument(tx, body.symbol)
    # Nobody waits meanwhile: neither a connection nor the event loop.
    backtest = await asyncio.to_thread(body.run, bars, instrument, caller)
    async with db.transaction(caller.tenant_id, cause) as tx:
        return BacktestOut.of(await commands.record_backtest(tx, backtest))


@router.get("/v1/backtests/{backtest_id}")
async def backtest(backtest_id: UUID, caller: Reader, db: Db) -> BacktestOut:
    """A backtest that was run before."""
    async with db.transaction(caller.tenant_id) as tx:
        return BacktestOut.of(await queries.backtest(tx, backtest_id))
