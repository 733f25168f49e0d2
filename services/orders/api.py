"""Who asked over HTTP? People and programs that keep accounts, trade, and look at what became of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints, ValidationInfo, field_validator

from libs.kit.db import Tx
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.idempotency import IdempotencyKey, once
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires
from libs.schema.values import (
    Amount,
    Currency,
    OrderType,
    Price,
    Quantity,
    Side,
    Symbol,
    TimeInForce,
    UtcDatetime,
    Volume,
)
from services.orders import queries
from services.orders.commands.accounts import change_account, open_account
from services.orders.commands.orders import NewOrder, cancel_order, place_order
from services.orders.life_cycle import OrderStatus
from services.orders.matching import PaperVenue
from services.orders.model import Account, AccountStatus, DenialReason, Fill, Order

router = Router()

AccountReader = Annotated[Caller, Depends(requires("accounts:read"))]
AccountOwner = Annotated[Caller, Depends(requires("accounts:write"))]
Reader = Annotated[Caller, Depends(requires("orders:read"))]
Trader = Annotated[Caller, Depends(requires("orders:write"))]
Paging = Annotated[PageRequest, Depends(page_request)]

# Control characters, which PostgreSQL or a terminal would choke on, are in no name.
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
ClientOrderId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
InitialCash = Annotated[Amount, Field(gt=0, le=Decimal(10) ** 10)]


async def _paper_venue(request: Request) -> PaperVenue:
    venue: PaperVenue = request.app.state.paper_venue
    return venue


Venue = Annotated[PaperVenue, Depends(_paper_venue)]


class AccountIn(BaseModel):
    """A paper account to open."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "trend", "initial_cash": "100000.00"}]}
    )

    name: Name
    currency: Currency = "USD"
    initial_cash: InitialCash
    auto_trading: StrictBool = False
    """Whether signals are traded in it; one account of a workspace at most."""


class AccountChange(BaseModel):
    """What to change in an account; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"auto_trading": True}]})

    name: Name | None = None
    auto_trading: StrictBool | None = None


class AccountOut(BaseModel):
    """An account."""

    id: UUID
    name: str
    broker: str
    currency: Currency
    initial_cash: Amount
    cash: Amount
    reserved: Amount
    """What open orders may still need."""
    auto_trading: bool
    status: AccountStatus
    created_at: UtcDatetime

    @classmethod
    def of(cls, account: Account) -> Self:
        """The account as clients see it."""
        return cls.model_validate(account, from_attributes=True)


class OrderIn(BaseModel):
    """An order to place."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "if": {"properties": {"order_type": {"const": OrderType.LIMIT}}},
            "then": {"properties": {"limit_price": {"not": {"type": "null"}}}, "required": ["limit_price"]},
            "else": {"properties": {"limit_price": {"type": "null"}}},
            "examples": [
                {
                    "account_id": "0199f0a4-6c4e-7d52-9a8e-3f1d2c4b5a69",
                    "symbol": "AAPL",
                    "side": "BUY",
                    "order_type": "LIMIT",
                    "quantity": "100",
                    "limit_price": "353.50",
                }
            ],
        },
    )

    account_id: UUID
    client_order_id: ClientOrderId | None = None
    """The client's own id, unique in the account; the order's id when it is left out."""
    symbol: Symbol
    side: Side
    order_type: OrderType
    quantity: Quantity
    limit_price: Annotated[Price | None, Field(validate_default=True)] = None
    time_in_force: TimeInForce = TimeInForce.DAY

    @field_validator("limit_price")
    @classmethod
    def _goes_with_the_order_type(cls, value: Decimal | None, info: ValidationInfo) -> Decimal | None:
        order_type = info.data.get("order_type")
        if order_type is OrderType.LIMIT and value is None:
            raise ValueError("a limit order needs a limit price")
        if order_type is OrderType.MARKET and value is not None:
            raise ValueError("a market order has no limit price")
        return value

    def wanted(self) -> NewOrder:
        """The order as the commands know it."""
        return NewOrder(**{name: getattr(self, name) for name in type(self).model_fields})


class OrderOut(BaseModel):
    """An order, in the terms of FIX."""

    id: UUID
    account_id: UUID
    client_order_id: str
    symbol: Symbol
    side: Side
    order_type: OrderType
    time_in_force: TimeInForce
    quantity: Quantity
    limit_price: Price | None
    status: OrderStatus
    cumulative_quantity: Volume
    leaves_quantity: Volume
    average_price: Price | None
    commission: Amount
    reject_reason: DenialReason | None
    reject_detail: str | None
    strategy_id: UUID | None
    signal_id: UUID | None
    day_zone: str | None
    """Whose midnight ends a day order: the exchange's time zone as far as it is known, else UTC."""
    submitted_at: UtcDatetime
    closed_at: UtcDatetime | None

    @classmethod
    def of(cls, order: Order) -> Self:
        """The order as clients see it."""
        return cls.model_validate(order, from_attributes=True)


class FillOut(BaseModel):
    """One execution."""

    id: UUID
    account_id: UUID
    order_id: UUID
    symbol: Symbol
    side: Side
    last_quantity: Quantity
    last_price: Price
    commission: Amount
    currency: Currency
    venue: str
    execution_id: str
    executed_at: UtcDatetime

    @classmethod
    def of(cls, fill: Fill) -> Self:
        """The fill as clients see it."""
        return cls.model_validate(fill, from_attributes=True)


@router.post("/v1/accounts", status_code=201, response_model=AccountOut)
async def open_paper_account(
    body: AccountIn,
    caller: AccountOwner,
    db: Db,
    cause: RequestCause,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Open a paper account that holds its first cash."""

    async def work(tx: Tx) -> AccountOut:
        return AccountOut.of(await open_account(tx, caller.tenant_id, **body.model_dump()))

    return await once(db, caller, cause, request, idempotency_key, 201, work)


@router.get("/v1/accounts")
async def accounts(caller: AccountReader, db: Db, wanted: Paging) -> Page[AccountOut]:
    """The workspace's accounts, the oldest first."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await queries.accounts(tx, wanted)
        return page(found, wanted, AccountOut.of, lambda row: Position(row.created_at, row.id))


@router.get("/v1/accounts/{account_id}")
async def account(account_id: UUID, caller: AccountReader, db: Db) -> AccountOut:
    """One account."""
    async with db.transaction(caller.tenant_id) as tx:
        return AccountOut.of(await queries.account(tx, account_id))


@router.patch("/v1/accounts/{account_id}")
async def change(account_id: UUID, body: AccountChange, caller: AccountOwner, db: Db) -> AccountOut:
    """Rename an account, or say whether signals are traded in it."""
    async with db.transaction(caller.tenant_id) as tx:
        return AccountOut.of(await change_account(tx, account_id, name=body.name, auto_trading=body.auto_trading))


@router.post("/v1/orders", status_code=201, response_model=OrderOut)
async def place(
    body: OrderIn,
    caller: Trader,
    db: Db,
    venue: Venue,
    cause: RequestCause,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Place an order. One that the account can't afford is kept, too, with the status DENIED and its reason."""

    async def work(tx: Tx) -> OrderOut:
        return OrderOut.of(await place_order(tx, venue, caller.tenant_id, body.wanted()))

    return await once(db, caller, cause, request, idempotency_key, 201, work)


@router.get("/v1/orders")
async def orders(
    caller: Reader,
    db: Db,
    wanted: Paging,
    status: OrderStatus | None = None,
    symbol: Symbol | None = None,
    account_id: UUID | None = None,
) -> Page[OrderOut]:
    """The workspace's orders, the oldest first."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await queries.orders(tx, queries.OrderFilter(status, symbol, account_id), wanted)
        return page(found, wanted, OrderOut.of, lambda row: Position(row.created_at, row.id))


@router.get("/v1/orders/{order_id}")
async def order(order_id: UUID, caller: Reader, db: Db) -> OrderOut:
    """One order."""
    async with db.transaction(caller.tenant_id) as tx:
        return OrderOut.of(await queries.order(tx, order_id))


@router.post("/v1/orders/{order_id}/cancel", status_code=202, response_model=OrderOut)
async def cancel(
    order_id: UUID,
    caller: Trader,
    db: Db,
    venue: Venue,
    cause: RequestCause,
    request: Request,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Ask the venue to withdraw what is left of an order; the paper venue does so at once."""

    async def work(tx: Tx) -> OrderOut:
        return OrderOut.of(await cancel_order(tx, venue, order_id))

    return await once(db, caller, cause, request, idempotency_key, 202, work)


@router.get("/v1/fills")
async def fills(
    caller: Reader,
    db: Db,
    wanted: Paging,
    symbol: Symbol | None = None,
    account_id: UUID | None = None,
    order_id: UUID | None = None,
) -> Page[FillOut]:
    """The workspace's fills in the order of their executions."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await queries.fills(tx, queries.FillFilter(symbol, account_id, order_id), wanted)
        return page(found, wanted, FillOut.of, lambda row: Position(row.executed_at, row.id))
