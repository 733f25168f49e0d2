"""An order lives after FIX: every state meets every report, and only the rows of one table lead on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import product

import pytest

from libs.kit.ids import uuid7
from libs.schema.event import DomainEvent
from libs.schema.orders import OrderAccepted, OrderCancelled, OrderDenied, OrderExpired, OrderFilled
from services.orders.life_cycle import CLOSED, TRANSITIONS, ExecType, IllegalTransition, OrderStatus, after
from services.orders.model import Denial, DenialReason, Fill, Order
from tests.orders.builders import an_order, day

# Written out by hand after the FIX order state matrices (D.1 to D.3), not read from the table under test.
EXPECTED = """
                  DENIED  REJECTED  NEW  PARTIAL_FILL      FILL    PENDING_CANCEL  CANCELED  EXPIRED
PENDING_NEW       DENIED  REJECTED  NEW  -                 -       -               -         -
DENIED            -       -         -    -                 -       -               -         -
REJECTED          -       -         -    -                 -       -               -         -
NEW               -       -         -    PARTIALLY_FILLED  FILLED  PENDING_CANCEL  CANCELED  EXPIRED
PARTIALLY_FILLED  -       -         -    PARTIALLY_FILLED  FILLED  PENDING_CANCEL  CANCELED  EXPIRED
FILLED            -       -         -    -                 -       -               -         -
PENDING_CANCEL    -       -         -    PENDING_CANCEL    FILLED  -               CANCELED  EXPIRED
CANCELED          -       -         -    -                 -       -               -         -
EXPIRED           -       -         -    -                 -       -               -         -
"""


def expected() -> dict[tuple[OrderStatus, ExecType], OrderStatus | None]:
    header, *rows = [line.split() for line in EXPECTED.strip().splitlines()]
    return {
        (OrderStatus(status), ExecType(report)): None if cell == "-" else OrderStatus(cell)
        for status, *cells in rows
        for report, cell in zip(header, cells, strict=True)
    }


def test_the_expected_square_is_full() -> None:
    assert set(expected()) == set(product(OrderStatus, ExecType))


@pytest.mark.parametrize(("status", "report"), list(product(OrderStatus, ExecType)))
def test_each_report_leads_where_fix_says(status: OrderStatus, report: ExecType) -> None:
    wanted = expected()[status, report]
    if wanted is not None:
        assert after(status, report) is wanted
        return
    with pytest.raises(IllegalTransition, match=f"{status} can't become {report}"):
        after(status, report)


def test_closed_states_are_those_that_nothing_leads_out_of() -> None:
    assert {status for status, _ in TRANSITIONS} == set(OrderStatus) - CLOSED


def a_fill(order: Order, quantity: str = "100", price: str = "100") -> Fill:
    return Fill(
        id=uuid7(), tenant_id=order.tenant_id, account_id=order.account_id, order_id=order.id, symbol=order.symbol,
        side=order.side, last_quantity=Decimal(quantity), last_price=Decimal(price), commission=Decimal("1.50"),
        currency="USD", venue="paper", execution_id="x", executed_at=day(3),
    )  # fmt: skip


METHODS: dict[ExecType, Callable[[Order], Sequence[DomainEvent] | None]] = {
    ExecType.DENIED: lambda order: order.deny(Denial(DenialReason.INSUFFICIENT_BUYING_POWER, "too dear")),
    ExecType.NEW: lambda order: order.accept(),
    ExecType.PARTIAL_FILL: lambda order: order.fill(a_fill(order, "40")),
    ExecType.FILL: lambda order: order.fill(a_fill(order)),
    ExecType.PENDING_CANCEL: lambda order: order.request_cancel(day(3)),
    ExecType.CANCELED: lambda order: order.confirm_cancel(day(3)),
    ExecType.EXPIRED: lambda order: order.expire(day(3)),
}
"""REJECTED has no row: the paper venue rejects nothing."""


@pytest.mark.parametrize(("status", "report"), list(product(OrderStatus, METHODS)))
def test_an_order_moves_by_the_table_and_closes_once(status: OrderStatus, report: ExecType) -> None:
    order = an_order(status=status)
    wanted = expected()[status, report]
    if wanted is None:
        # A closed order has nothing left, so that a fill of it is a fill of too much.
        with pytest.raises(IllegalTransition):
            METHODS[report](order)
        assert order.status == status
        return

    METHODS[report](order)

    assert order.status == wanted
    assert (order.closed_at is not None) == (wanted in CLOSED)


@pytest.mark.parametrize("before", ["0", "60"])
def test_a_fill_of_more_than_is_left_is_refused(before: str) -> None:
    order = an_order(quantity="100", status=OrderStatus.NEW)
    if Decimal(before):
        order.fill(a_fill(order, before))

    with pytest.raises(ValueError, match="leaves_quantity"):
        order.fill(a_fill(order, "100.00000001"))


def test_every_step_tells_of_itself() -> None:
    denied, order = an_order(), an_order()
    (refusal,) = denied.deny(Denial(DenialReason.INSUFFICIENT_BUYING_POWER, "too dear"))
    (accepted,), (filled,) = order.accept(), order.fill(a_fill(order, "40", "100"))
    order.request_cancel(day(4))
    (cancelled,) = order.confirm_cancel(day(4))
    other = an_order(status=OrderStatus.NEW)
    (expired,) = other.expire(day(5))

    assert isinstance(refusal, OrderDenied)
    assert (refusal.reason, refusal.detail) == ("insufficient-buying-power", "too dear")
    assert isinstance(accepted, OrderAccepted)
    assert accepted.occurred_at == order.submitted_at
    assert isinstance(filled, OrderFilled)
    assert (filled.last_quantity, filled.cumulative_quantity, filled.leaves_quantity) == (40, 40, 60)
    assert filled.occurred_at == day(3)
    assert isinstance(cancelled, OrderCancelled)
    assert (cancelled.occurred_at, cancelled.cumulative_quantity) == (day(4), 40)
    assert order.leaves_quantity == 0
    assert isinstance(expired, OrderExpired)
    assert (expired.occurred_at, expired.cumulative_quantity) == (day(5), 0)


def test_the_average_price_is_weighted_by_quantity() -> None:
    order = an_order(quantity="100", status=OrderStatus.NEW)
    order.fill(a_fill(order, "75", "10"))
    order.fill(a_fill(order, "25", "11"))

    assert order.average_price == Decimal("10.25")
    assert order.commission == Decimal("3.00")
    assert (order.status, order.leaves_quantity) == (OrderStatus.FILLED, 0)


def test_the_average_price_of_the_smallest_quantity_is_exact() -> None:
    order = an_order(quantity="0.00000001", status=OrderStatus.NEW)
    order.fill(a_fill(order, "0.00000001", "353.51"))

    assert order.average_price == Decimal("353.51")
