"""An account is never leveraged: what its open orders may lead to is always covered by what it is worth."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.schema.values import Side
from services.orders.book import Book, Line, Marks
from services.orders.life_cycle import OrderStatus
from services.orders.matching import PaperVenue, Trade
from services.orders.model import Order
from tests.orders.builders import MONDAY, VENUE, a_bar, an_account, an_order, day

NO_MARKS = Marks({})


def a_book(cash: str | Decimal = "10000", held: str = "0", mark: str = "100", venue: PaperVenue = VENUE) -> Book:
    return Book(an_account(cash), venue, {"AAPL": Line(Decimal(held), Decimal(mark))})


def place(
    book: Book, side: Side = Side.BUY, quantity: str | Decimal = "100", limit: str | None = None, **changes: str
) -> Order:
    order = an_order(side, quantity, limit, account=book.account, **changes)  # type: ignore[arg-type]
    book.place(order, NO_MARKS)
    return order


def trade(book: Book, order: Order, price: str | Decimal) -> None:
    book.settle(order, Trade(Decimal(price), a_bar(day(1), price)))


@pytest.mark.parametrize(("cash", "status"), [("10010.00", "NEW"), ("10009.99999999", "DENIED")])
def test_an_order_needs_its_notional_and_its_commission(cash: str, status: str) -> None:
    assert place(a_book(cash)).status == status


def test_a_short_needs_as_much_as_a_long() -> None:
    assert place(a_book("10010"), Side.SELL).status == OrderStatus.NEW
    assert place(a_book("10009"), Side.SELL).status == OrderStatus.DENIED


def test_a_denial_says_what_is_needed_and_what_is_left() -> None:
    order = place(a_book("1000"))

    assert order.reject_reason == "insufficient-buying-power"
    assert order.reject_detail == "the order needs 10010.00 USD, 1000.00 are left"


def test_an_accepted_order_reserves_and_a_closed_one_releases() -> None:
    book = a_book("25000")
    first, second = place(book), place(book, limit="90")
    assert book.reserved == Decimal("10010.00") + Decimal("9009.00")

    book.cancel(first, day(1))
    assert book.reserved == Decimal("9009.00")
    trade(book, second, "89")
    assert book.reserved == 0
    assert book.account.cash == Decimal(25000) - Decimal(8900) - Decimal("8.90")


def test_a_limit_order_is_reckoned_at_its_limit_and_another_at_the_last_price() -> None:
    book = a_book("100000", mark="50")
    place(book, quantity="10", limit="200")
    order = place(book, quantity="10", reference=None)  # type: ignore[arg-type]

    assert order.reference_price == 50
    assert book.reserved == Decimal(2500) + Decimal("2.50")


def test_an_order_that_nothing_is_known_about_is_denied() -> None:
    order = place(a_book(), symbol="IBM", reference=None)  # type: ignore[arg-type]

    assert (order.status, order.reject_reason) == (OrderStatus.DENIED, "no-reference-price")


def test_closing_needs_nothing_even_without_cash() -> None:
    assert place(a_book("0", held="100"), Side.SELL).status == OrderStatus.NEW
    # Short 100 at 100 with a cash of 20,000: worth 10,000, exposed with 10,000.
    assert place(a_book("20000", held="-100"), Side.BUY).status == OrderStatus.NEW


def test_a_losing_short_can_be_closed() -> None:
    book = a_book("20000", held="-100", mark="150")
    assert book.buying_power(NO_MARKS, MONDAY) < 0

    assert place(book, Side.BUY, "50").status == OrderStatus.NEW
    assert place(book, Side.SELL, "1").status == OrderStatus.DENIED


def test_a_reversal_needs_only_what_the_new_position_exceeds_the_old_one_by() -> None:
    assert place(a_book("0", held="100"), Side.SELL, "200").status == OrderStatus.NEW
    assert place(a_book("0", held="100"), Side.SELL, "201").status == OrderStatus.DENIED
    assert place(a_book("100.10", held="100"), Side.SELL, "201").status == OrderStatus.NEW


def test_closing_twice_is_opening() -> None:
    book = a_book("0", held="100")

    assert place(book, Side.SELL, limit="110").status == OrderStatus.NEW
    assert place(book, Side.SELL, limit="120").status == OrderStatus.NEW  # no further short than it is long now
    assert place(book, Side.SELL, limit="130").status == OrderStatus.DENIED


def test_opposite_orders_are_reckoned_by_the_larger_one() -> None:
    book = a_book("10010")
    bid, ask = place(book, limit="100"), place(book, Side.SELL, limit="100")
    assert (bid.status, ask.status) == (OrderStatus.NEW, OrderStatus.NEW)

    book.cancel(bid, day(1))

    assert book.reserved == Decimal("10010.00")


def test_a_short_is_marked_at_the_last_close_known_at_the_orders_time() -> None:
    book = a_book("20000", held="-100")
    book.lines["IBM"] = Line()
    dear = Marks({("AAPL", MONDAY): Decimal(101), ("IBM", MONDAY): Decimal(1)})

    assert book.buying_power(NO_MARKS, MONDAY) == 0
    assert book.buying_power(dear, MONDAY) == -200
    assert book.buying_power(Marks({("AAPL", MONDAY): Decimal(90)}), MONDAY) == 2000


def test_an_order_beyond_all_measure_is_denied_even_when_it_closes() -> None:
    order = place(a_book("0", held="100"), Side.SELL, "50", limit="999999999999")
    assert order.status == OrderStatus.DENIED
    assert order.reject_reason == "notional-too-large"


def test_what_has_grown_beyond_the_largest_order_can_be_sold() -> None:
    assert place(a_book("0", held="2", mark="100000000000"), Side.SELL, "2", reference="1E11").status == OrderStatus.NEW
    assert place(a_book("1E14", held="0"), Side.BUY, "2", reference="1E11").reject_reason == "notional-too-large"


orders = st.lists(
    st.tuples(st.sampled_from(Side), st.integers(1, 50).map(Decimal), st.integers(90, 110).map(str)), max_size=7
)


@given(orders, st.integers(-50, 50), st.integers(0, 20_000))
def test_whichever_orders_trade_the_exposure_stays_covered(
    wanted: list[tuple[Side, Decimal, str]], held: int, cash: int
) -> None:
    """Every subset of the accepted orders trades at one price: exposure may not outgrow what the account is worth."""
    venue = PaperVenue(VENUE.timeframe, Decimal(0))
    start = Decimal(cash) + (2 * abs(held) * 100 if held < 0 else 0)
    book = a_book(start, str(held), venue=venue)
    accepted = [order for order in (place(book, *one[:2]) for one in wanted) if order.status == OrderStatus.NEW]

    for size in range(len(accepted) + 1):
        for some in combinations(accepted, size):
            end = held + sum(order.sign * order.quantity for order in some)
            assert abs(end) * 100 <= max(start + held * 100, abs(held) * 100)


@given(orders, st.integers(-50, 50))
def test_when_nothing_is_open_nothing_is_reserved(wanted: list[tuple[Side, Decimal, str]], held: int) -> None:
    book = a_book("1000000", str(held))
    placed = [place(book, *one) for one in wanted]
    for number, order in enumerate(placed):
        if number % 2:
            book.cancel(order, day(1))
        else:
            trade(book, order, "100")

    assert book.reserved == 0
    assert book.account.cash == Decimal(1000000) - sum(
        order.sign * order.cumulative_quantity * 100 + order.commission for order in placed
    )
    assert book.line("AAPL").quantity == held + sum(order.sign * order.cumulative_quantity for order in placed)


@given(orders, st.integers(-50, 50))
def test_the_more_is_open_the_more_is_reserved(wanted: list[tuple[Side, Decimal, str]], held: int) -> None:
    book = a_book("1000000", str(held))
    before = book.reserved
    for side, quantity, _ in wanted:
        place(book, side, quantity)
        assert book.reserved >= before
        before = book.reserved
