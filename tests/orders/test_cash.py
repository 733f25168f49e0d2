"""Cash never goes below zero, wherever the market opens: a purchase trades what the cash pays for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.schema.currencies import minor_unit
from libs.schema.orders import OrderCancelled, OrderFilled
from libs.schema.values import Side
from services.orders.book import Book, Line, Marks
from services.orders.cash import affordable
from services.orders.matching import Trade
from services.orders.model import Order
from services.orders.money import notional
from tests.orders.builders import LONG_AGO, VENUE, a_bar, a_signal, ahead, an_account, an_order, day
from tests.orders.conftest import Workspace, open_workspace
from tests.world import World

NO_MARKS = Marks({})
SYMBOLS = ("AAPL", "IBM")


def a_book(cash: str, held: str = "0", price: str = "100", currency: str = "USD") -> Book:
    account = an_account(cash)
    account.currency = currency
    return Book(account, VENUE, {"AAPL": Line(Decimal(held), Decimal(price))})


def place(book: Book, side: Side, quantity: str | Decimal, **changes: str) -> Order:
    order = an_order(side, quantity, account=book.account, **changes)  # type: ignore[arg-type]
    book.place(order, NO_MARKS)
    assert order.status == "NEW", order.reject_detail
    return order


def opens_at(book: Book, order: Order, price: str) -> Decimal:
    """What of the order trades when the market opens at a price."""
    book.settle(order, Trade(Decimal(price), a_bar(day(1), price, symbol=order.symbol)))
    return order.cumulative_quantity


async def test_a_purchase_at_a_gap_is_cut_to_what_the_cash_pays_and_the_rest_is_withdrawn_and_told(
    world: World, workspace: Workspace
) -> None:
    poor = await open_workspace(world, workspace.running, initial_cash="1000", auto_trading=False)
    await workspace.sees(a_bar(LONG_AGO, "10"))
    placed = (await poor.orders_it(quantity="99")).json()
    assert (placed["status"], (await poor.account())["reserved"]) == ("NEW", "990.99")
    await workspace.sees(a_bar(ahead(1), "20"))

    (filled,), (cancelled,) = await world.expect(OrderFilled, 1), await world.expect(OrderCancelled, 1)
    assert (filled.event.last_quantity, filled.event.leaves_quantity) == (Decimal(49), Decimal(50))
    assert (filled.sequence, cancelled.sequence) == (2, 3)
    assert (cancelled.event.reason, cancelled.event.cumulative_quantity) == ("insufficient-cash", 49)
    assert cancelled.event.occurred_at == ahead(1)
    shown = await poor.one(f"/v1/orders/{placed['id']}")
    assert (shown["status"], shown["cumulative_quantity"], shown["leaves_quantity"]) == ("CANCELED", "49", "0")
    assert shown["reject_reason"] == "insufficient-cash"
    assert shown["reject_detail"] == cancelled.event.detail == "at 20.00 USD the cash pays for 49 of 99"
    account = await poor.account()
    assert Decimal(account["cash"]) == 1000 - 49 * 20 - Decimal("0.98")
    assert account["reserved"] == "0.00"


async def test_an_order_that_the_cash_pays_nothing_of_is_withdrawn_whole(world: World, workspace: Workspace) -> None:
    poor = await open_workspace(world, workspace.running, initial_cash="100")
    await poor.hears(a_signal(day(2), "9", price="10"))
    await workspace.sees(a_bar(day(2), "101"))

    await world.expect(OrderFilled, 0)
    (cancelled,) = await world.expect(OrderCancelled, 1)
    assert (cancelled.event.reason, cancelled.event.cumulative_quantity) == ("insufficient-cash", 0)
    assert (await poor.account())["cash"] == "100.00"


def test_two_purchases_at_one_gap_each_keep_what_is_reserved_for_them() -> None:
    book = a_book("1001")
    orders = [place(book, Side.BUY, "5") for _ in range(2)]

    assert [opens_at(book, order, "200") for order in orders] == [2, 3]


def test_a_purchase_takes_what_is_free_and_nothing_that_is_reserved_for_another() -> None:
    book = a_book("1401.40")
    first, second = place(book, Side.BUY, "5"), place(book, Side.BUY, "5", symbol="IBM")

    assert opens_at(book, first, "200") == 4  # 800.80 of 500.50 + 400.40
    assert opens_at(book, second, "100") == 5


def test_a_bid_beside_an_ask_trades_although_both_share_a_reservation() -> None:
    book = a_book("1001")
    bid = place(book, Side.BUY, "10")
    place(book, Side.SELL, "10")

    assert opens_at(book, bid, "100") == 10


def test_a_sale_of_the_same_open_pays_for_a_purchase() -> None:
    book = a_book("0", held="10")
    sale = place(book, Side.SELL, "10")
    assert opens_at(book, sale, "100") == 10
    assert opens_at(book, place(book, Side.BUY, "9"), "100") == 9


def test_covering_a_short_takes_all_the_cash_and_no_more() -> None:
    """Ten sold short at 100 with 1,000: the cash is 2,000, and buying back costs 250 each."""
    book = a_book("2000", held="-10")
    cover = place(book, Side.BUY, "10")

    assert opens_at(book, cover, "250") == 7
    assert book.account.cash == 2000 - 1750 - Decimal("1.75")


def test_a_reversal_at_a_gap_covers_first_and_opens_with_what_is_left() -> None:
    book = a_book("2000", held="-10")
    assert opens_at(book, place(book, Side.BUY, "20"), "150") == 13


def test_what_a_short_brought_in_buys_nothing_else() -> None:
    book = a_book("3000", held="-10")
    assert opens_at(book, place(book, Side.BUY, "9", symbol="IBM"), "200") == 4


def test_a_short_that_fell_leaves_an_order_what_it_was_accepted_with() -> None:
    book = a_book("2000", held="-10")
    order = an_order(Side.BUY, "9", account=book.account, symbol="IBM")
    book.place(order, Marks({("AAPL", order.submitted_at): Decimal(50)}))
    assert opens_at(book, order, "100") == 9


@pytest.mark.parametrize(("quantity", "pays"), [("99", "49"), ("99.5", "49.95004995"), ("0.4", "0.4")])
def test_whole_quantities_are_cut_to_whole_ones(quantity: str, pays: str) -> None:
    assert affordable(Decimal(quantity), lambda part: part * 20 * Decimal("1.001"), Decimal(1000)) == Decimal(pays)


moves = st.lists(
    st.tuples(
        st.sampled_from(["order", "order", "bar"]),
        st.sampled_from(SYMBOLS),
        st.sampled_from(Side),
        st.integers(1, 60_000).map(lambda thousandths: Decimal(thousandths) / 1000),
        st.integers(1, 40_000).map(lambda cents: Decimal(cents) / 100),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@given(moves, st.sampled_from(["USD", "JPY", "BTC"]), st.sampled_from(["0", "0.001", "0.1", "0.9"]))
def test_whatever_is_ordered_and_wherever_the_market_opens_cash_is_never_below_zero(
    steps: list[tuple[str, str, Side, Decimal, Decimal]], currency: str, rate: str
) -> None:
    book = a_book("1000", currency=currency)
    book.venue = replace(VENUE, commission_rate=Decimal(rate))
    book.lines = {}
    cash, working = book.account.cash, list[Order]()
    for what, symbol, side, size, price in steps:
        if what == "order":
            quantity = size.to_integral_value() or size
            order = an_order(side, quantity, account=book.account, symbol=symbol, reference=price)
            book.place(order, NO_MARKS)
            working += [order] if order.closed_at is None else []
            continue
        for order in sorted((one for one in working if one.symbol == symbol), key=lambda one: one.sign):
            opens_at(book, order, str(price))
            working.remove(order)
            assert order.closed_at is not None
            assert book.account.cash >= 0
    cash -= sum(
        Side(fill.side).sign * notional(fill.last_quantity, fill.last_price) + fill.commission for fill in book.fills
    )
    assert book.account.cash == cash
    assert all(fill.commission % minor_unit(currency) == 0 for fill in book.fills)
    for symbol in SYMBOLS:
        held = sum(Side(fill.side).sign * fill.last_quantity for fill in book.fills if fill.symbol == symbol)
        assert book.line(symbol).quantity == held


@given(st.integers(1, 10**11), st.integers(1, 50_000), st.integers(0, 100_000))
def test_no_more_could_have_been_paid_for(units: int, cents: int, cash: int) -> None:
    quantity, price = Decimal(units).scaleb(-8), Decimal(cents) / 100

    def cost(part: Decimal) -> Decimal:
        return part * price + VENUE.commission(part * price, "USD")

    part = affordable(quantity, cost, Decimal(cash))
    assert cost(part) <= cash
    step = Decimal(1) if quantity == quantity.to_integral_value() else Decimal("1E-8")
    assert part == quantity or cost(part + step) > cash
