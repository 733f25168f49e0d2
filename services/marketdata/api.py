"""Who asked over HTTP? Readers of instruments and bars, and feeds that write them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, field_validator, model_validator

from libs.kit.db import Tx
from libs.kit.errors import Invalid
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.idempotency import IdempotencyKey, once
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.routes import LARGE_BODY, Router
from libs.kit.security import Caller, requires
from libs.schema.exchanges import TimeZone
from libs.schema.values import BarVolume, Currency, Price, Symbol, Timeframe, UtcDatetime
from services.marketdata import commands, queries
from services.marketdata.model import HUNDREDTHS, AssetClass, Bar, Instrument

router = Router()

MAX_BARS = 5_000
_NO_ID = UUID(int=0)

_A_BAR: dict[str, JsonValue] = {
    "symbol": "AAPL", "timeframe": "1d", "open_time": "2011-03-01T00:00:00Z",
    "open": "355.47", "high": "355.72", "low": "347.68", "close": "349.31", "volume": "16290000",
}  # fmt: skip

Reader = Annotated[Caller, Depends(requires("marketdata:read"))]
Feed = Annotated[Caller, Depends(requires("marketdata:write"))]


async def _bar_skew(request: Request) -> timedelta:
    skew: timedelta = request.app.state.bar_skew
    return skew


BarSkew = Annotated[timedelta, Depends(_bar_skew)]


class InstrumentIn(BaseModel):
    """An instrument to list."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"symbol": "AAPL", "name": "Apple Inc.", "currency": "USD"}]}
    )

    symbol: Symbol
    name: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
    asset_class: AssetClass = AssetClass.EQUITY
    currency: Currency
    """What its prices are in: nothing is taken for granted, as a wrong one makes every figure wrong."""

    time_zone: TimeZone | None = None
    """Of its exchange, whose midnight ends day orders; where it is left out, the symbol's suffix may tell, else UTC."""

    @field_validator("currency")
    @classmethod
    def _is_a_currency(cls, value: str) -> str:
        if value in HUNDREDTHS:
            whole = HUNDREDTHS[value]
            raise ValueError(f"{value} is a hundredth of {whole}: list it in {whole}, and send its prices in {whole}")
        return value


class InstrumentOut(BaseModel):
    """A listed instrument."""

    id: UUID
    symbol: Symbol
    name: str
    asset_class: AssetClass
    currency: Currency
    time_zone: str | None
    created_at: UtcDatetime

    @classmethod
    def of(cls, instrument: Instrument) -> Self:
        """The instrument as clients see it."""
        return cls.model_validate(instrument, from_attributes=True)


class BarIn(BaseModel):
    """A closed bar over [open_time, open_time + timeframe)."""

    model_config = ConfigDict(extra="forbid")

    symbol: Symbol
    timeframe: Timeframe
    open_time: UtcDatetime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: BarVolume

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        try:
            self.bar()
        except Invalid as error:
            raise ValueError(error.detail) from error
        return self

    def bar(self) -> Bar:
        """The bar as the model knows it."""
        return Bar(self.symbol, self.timeframe, self.open_time, self.open, self.high, self.low, self.close, self.volume)


class CorrectionIn(BarIn):
    """A kept bar as it should have been."""

    model_config = ConfigDict(json_schema_extra={"examples": [_A_BAR]})


class BarsIn(BaseModel):
    """Bars of any instruments and timeframes; all are kept or none."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"bars": [_A_BAR]}]})

    bars: Annotated[list[BarIn], Field(min_length=1, max_length=MAX_BARS)]


class BarOut(BaseModel):
    """A closed bar."""

    symbol: Symbol
    timeframe: Timeframe
    open_time: UtcDatetime
    close_time: UtcDatetime
    open: Price
    high: Price
    low: Price
    close: Price
    volume: BarVolume

    @classmethod
    def of(cls, bar: Bar) -> Self:
        """The bar as clients see it."""
        return cls.model_validate(bar, from_attributes=True)


class RecordedOut(BaseModel):
    """What became of a batch."""

    accepted: int
    duplicates: int


class CorrectionOut(BaseModel):
    """A bar as it is kept now, and as it was kept before; both are the same when it was right already."""

    bar: BarOut
    previous: BarOut


@router.post("/v1/instruments", status_code=201)
async def list_instrument(body: InstrumentIn, _caller: Feed, db: Db, cause: RequestCause) -> InstrumentOut:
    """List an instrument, so that bars of it are taken."""
    async with db.public(cause) as tx:
        return InstrumentOut.of(await commands.list_instrument(tx, **body.model_dump()))


@router.get("/v1/instruments")
async def instruments(
    _caller: Reader, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]
) -> Page[InstrumentOut]:
    """Listed instruments, the oldest first."""
    async with db.public() as tx:
        found = await queries.instruments(tx, wanted)
        return page(found, wanted, InstrumentOut.of, lambda row: Position(row.created_at, row.id))


@router.get("/v1/instruments/{symbol}")
async def instrument(symbol: Symbol, _caller: Reader, db: Db) -> InstrumentOut:
    """One instrument."""
    async with db.public() as tx:
        return InstrumentOut.of(await queries.instrument(tx, symbol))


@router.post("/v1/bars", status_code=201, response_model=RecordedOut, dependencies=[LARGE_BODY])
async def record_bars(
    body: BarsIn,
    caller: Feed,
    db: Db,
    skew: BarSkew,
    cause: RequestCause,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Record bars that are over. Exact duplicates are accepted; a bar that contradicts a known one refuses the batch."""

    async def work(tx: Tx) -> RecordedOut:
        done = await commands.record_bars(tx, [bar.bar() for bar in body.bars], skew)
        return RecordedOut(accepted=done.accepted, duplicates=done.duplicates)

    return await once(db, caller, cause, request, idempotency_key, 201, work)


@router.post("/v1/bars/corrections", response_model=CorrectionOut)
async def correct_bar(
    body: CorrectionIn,
    caller: Feed,
    db: Db,
    cause: RequestCause,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Replace the figures of a bar that is kept and was wrong; there is no other way to change one."""

    async def work(tx: Tx) -> CorrectionOut:
        [done] = await commands.correct_bars(tx, [body.bar()])
        return CorrectionOut(bar=BarOut.of(done.bar), previous=BarOut.of(done.previous))

    return await once(db, caller, cause, request, idempotency_key, 200, work)


@router.get("/v1/bars")
async def bars(
    _caller: Reader,
    db: Db,
    wanted: Annotated[PageRequest, Depends(page_request)],
    symbol: Symbol,
    timeframe: Timeframe = Timeframe.D1,
    start: Annotated[UtcDatetime | None, Query(description="first open time")] = None,
    end: Annotated[UtcDatetime | None, Query(description="open times before this one")] = None,
) -> Page[BarOut]:
    """Bars of one instrument in the order of their times."""
    async with db.public() as tx:
        found = await queries.bars(tx, queries.BarFilter(symbol, timeframe, start, end), wanted)
        return page(found, wanted, BarOut.of, lambda bar: Position(bar.open_time, _NO_ID))
