"""The paper venue trades at the bars' own times and prices, whatever was heard of first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.schema.exchanges import time_zone_of
from libs.schema.values import Side, Timeframe, TimeInForce
from services.orders.matching import Bar, Expiry, Instruction, Outcome, Trade, match
from tests.orders.builders import MONDAY, VENUE, a_bar, an_instruction, day

HOUR = timedelta(hours=1)
ZONES = ("UTC", "Australia/Sydney", "America/New_York", "Asia/Kolkata")
prices = st.integers(1, 60).map(Decimal)


@st.composite
def bars(draw: st.DrawFn, timeframe: Timeframe) -> list[Bar]:
    """Bars with gaps, in the order of their times."""
    places = sorted(draw(st.sets(st.integers(0, 60), max_size=12)))
    made = []
    for place in places:
        low, open_, close, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
        if draw(st.booleans()):
            open_, close = close, open_
        made.append(a_bar(MONDAY + place * timeframe.duration, open_, low=low, high=high, close=close,
                          timeframe=timeframe, volume=draw(st.sampled_from([None, "0", "1000"]))))  # fmt: skip
    return made


@st.composite
def meetings(draw: st.DrawFn) -> tuple[Instruction, list[Bar]]:
    """An order and the bars around it."""
    timeframe = draw(st.sampled_from([Timeframe.D1, Timeframe.H4, Timeframe.H1]))
    instruction = an_instruction(
        draw(st.sampled_from(Side)),
        draw(st.none() | prices),
        at=MONDAY + draw(st.integers(-2, 60)) * timeframe.duration + draw(st.sampled_from([timedelta(0), HOUR / 2])),
        time_in_force=draw(st.sampled_from(TimeInForce)),
        zone=draw(st.sampled_from(ZONES)),
    )
    return instruction, draw(bars(timeframe))


def met(instruction: Instruction, known: list[Bar]) -> list[Bar]:
    return [bar for bar in known if bar.open_time >= instruction.submitted_at]


@given(meetings())
def test_nothing_happens_before_the_order_was_placed(meeting: tuple[Instruction, list[Bar]]) -> None:
    instruction, known = meeting
    outcome = match(instruction, known)

    if outcome is not None:
        assert outcome.at >= instruction.submitted_at
        assert outcome.bar.open_time >= instruction.submitted_at


@given(meetings(), st.data())
def test_it_does_not_matter_when_the_order_is_heard_of(
    meeting: tuple[Instruction, list[Bar]], data: st.DataObject
) -> None:
    """Some bars were there before the order, the others arrive in batches of any size."""
    instruction, known = meeting
    there = data.draw(st.integers(0, len(known)))
    outcome = match(instruction, known[:there])
    while outcome is None and there < len(known):
        size = data.draw(st.integers(1, len(known) - there))
        outcome = match(instruction, known[there : there + size], first_met(instruction, known[: there + size]))
        there += size

    assert outcome == match(instruction, known)


def first_met(instruction: Instruction, known: list[Bar]) -> datetime | None:
    return next((bar.open_time for bar in met(instruction, known)), None)


@given(meetings(), st.randoms())
def test_the_order_of_the_bars_in_hand_does_not_matter(
    meeting: tuple[Instruction, list[Bar]],
    random: Random,
) -> None:
    instruction, known = meeting
    shuffled = random.sample(known, len(known))

    assert match(instruction, shuffled) == match(instruction, known)


@given(meetings())
def test_a_limit_never_trades_worse_than_it_says_nor_outside_the_bar(meeting: tuple[Instruction, list[Bar]]) -> None:
    instruction, known = meeting
    outcome = match(instruction, known)
    if not isinstance(outcome, Trade):
        return

    assert outcome.bar.volume != 0
    assert outcome.bar.low <= outcome.price <= outcome.bar.high
    if instruction.limit_price is not None:
        better = (instruction.limit_price - outcome.price) * instruction.side.sign
        assert better >= 0


@given(meetings())
def test_no_bar_that_reaches_a_working_order_is_passed_by(meeting: tuple[Instruction, list[Bar]]) -> None:
    instruction, known = meeting
    outcome: Outcome | None = match(instruction, known)
    end = outcome.bar.open_time if outcome else datetime.max.replace(tzinfo=MONDAY.tzinfo)

    for bar in met(instruction, known):
        if bar.open_time < end and bar.volume != 0:
            assert instruction.limit_price is not None
            beyond = (
                bar.low > instruction.limit_price
                if instruction.side is Side.BUY
                else bar.high < instruction.limit_price
            )
            assert beyond


@given(meetings())
def test_a_day_order_is_over_with_the_date_that_its_first_bar_has_at_the_exchange(
    meeting: tuple[Instruction, list[Bar]],
) -> None:
    instruction, known = meeting
    outcome = match(instruction, known)
    if instruction.time_in_force is TimeInForce.GTC:
        assert not isinstance(outcome, Expiry)
    elif outcome is not None:
        first = met(instruction, known)[0]
        date_there = first.open_time.astimezone(instruction.day_zone).date()
        last = outcome.at - timedelta(microseconds=1) if isinstance(outcome, Expiry) else outcome.at
        assert last.astimezone(instruction.day_zone).date() == date_there or outcome.at == first.close_time


def test_a_market_order_trades_at_the_open_of_the_next_bar() -> None:
    outcome = match(an_instruction(at=day(2)), [a_bar(day(1), "99"), a_bar(day(5), "101.5", high="110"), a_bar(day(6))])

    assert outcome == Trade(Decimal("101.5"), a_bar(day(5), "101.5", high="110"))
    assert outcome.at == day(5)


@pytest.mark.parametrize(
    ("side", "limit", "price"),
    [
        (Side.BUY, "100", "100"),  # at the limit
        (Side.BUY, "97", "97"),  # reached within the bar
        (Side.BUY, "95", "95"),  # just touched
        (Side.BUY, "103", "100"),  # opens better
        (Side.BUY, "94.99", None),
        (Side.SELL, "100", "100"),
        (Side.SELL, "103", "103"),
        (Side.SELL, "105", "105"),
        (Side.SELL, "97", "100"),
        (Side.SELL, "105.01", None),
    ],
)
def test_a_limit_order_trades_at_its_limit_or_better(side: Side, limit: str, price: str | None) -> None:
    outcome = match(an_instruction(side, limit), [a_bar(day(1), "100", low="95", high="105")])

    assert (outcome.price if isinstance(outcome, Trade) else None) == (None if price is None else Decimal(price))


def test_a_day_order_expires_with_the_daily_bar_that_did_not_reach_it() -> None:
    outcome = match(an_instruction(limit="90", time_in_force=TimeInForce.DAY), [a_bar(day(1)), a_bar(day(2), "80")])

    assert outcome == Expiry(day(2), a_bar(day(1)))


def test_an_intraday_day_order_lives_until_a_bar_of_another_date() -> None:
    hourly = [a_bar(day(1) + n * HOUR, timeframe=Timeframe.H1) for n in (14, 15, 16)]
    later = a_bar(day(4), "80", timeframe=Timeframe.H1)
    instruction = an_instruction(limit="90", at=day(1) + 14 * HOUR, time_in_force=TimeInForce.DAY)

    assert match(instruction, hourly) is None
    assert match(instruction, [later], hourly[0].open_time) == Expiry(day(2), later)
    assert match(instruction, [*hourly, later]) == Expiry(day(2), later)


@pytest.mark.parametrize(
    ("opens", "fills_at"),
    [
        pytest.param(datetime(2027, 1, 13, 23, tzinfo=UTC), datetime(2027, 1, 14, 2, tzinfo=UTC), id="summer"),
        pytest.param(datetime(2027, 7, 14, 0, tzinfo=UTC), datetime(2027, 7, 14, 3, tzinfo=UTC), id="winter"),
    ],
)
def test_a_session_in_sydney_is_not_cut_by_midnight_utc(opens: datetime, fills_at: datetime) -> None:
    lows = ["41", "41", "41", "39.90", "40.50", "40.80"]
    session = [
        a_bar(opens + n * HOUR, "41.20", low=low, timeframe=Timeframe.H1, symbol="BHP-AX") for n, low in enumerate(lows)
    ]
    placed = an_instruction(
        limit="40", at=opens - 30 * HOUR, time_in_force=TimeInForce.DAY, zone=time_zone_of("BHP-AX")
    )

    outcome = match(placed, session)
    assert isinstance(outcome, Trade)
    assert (outcome.price, outcome.at) == (Decimal(40), fills_at)


def test_a_day_of_sydney_ends_at_its_midnight() -> None:
    late = [a_bar(datetime(2027, 1, 14, hour, tzinfo=UTC), timeframe=Timeframe.H1) for hour in (5, 12)]
    placed = an_instruction(limit="90", at=late[0].open_time, time_in_force=TimeInForce.DAY, zone="Australia/Sydney")
    assert match(placed, late) == Expiry(datetime(2027, 1, 14, 13, tzinfo=UTC), late[1])


@pytest.mark.parametrize("zone", ZONES)
def test_a_daily_bar_is_a_day_in_every_zone(zone: str) -> None:
    placed = an_instruction(limit="90", time_in_force=TimeInForce.DAY, zone=zone)
    assert match(placed, [a_bar(day(1)), a_bar(day(2), "80")]) == Expiry(day(2), a_bar(day(1)))


@pytest.mark.parametrize(("date", "hours"), [((2026, 10, 4), 23), ((2027, 4, 4), 25), ((2027, 4, 5), 24)])
def test_days_of_23_and_25_hours_end_where_they_do(date: tuple[int, int, int], hours: int) -> None:
    midnight = datetime(*date, tzinfo=ZoneInfo("Australia/Sydney")).astimezone(UTC)
    hourly = [a_bar(midnight + n * HOUR, timeframe=Timeframe.H1) for n in range(hours + 1)]
    placed = an_instruction(limit="90", at=midnight, time_in_force=TimeInForce.DAY, zone="Australia/Sydney")

    outcome = match(placed, hourly)
    assert outcome == Expiry(midnight + hours * HOUR, hourly[hours - 1])


def test_nothing_trades_in_a_bar_in_which_nothing_was_traded() -> None:
    halted, next_day = a_bar(day(1), "50", volume="0"), a_bar(day(2), "47", volume="500")

    assert match(an_instruction(), [halted, next_day]) == Trade(Decimal(47), next_day)
    assert match(an_instruction(limit="60"), [halted, next_day]) == Trade(Decimal(47), next_day)
    assert match(an_instruction(time_in_force=TimeInForce.DAY), [halted, next_day]) == Expiry(day(2), halted)
    assert match(an_instruction(), [a_bar(day(1), "50", volume=None)]) == Trade(
        Decimal(50), a_bar(day(1), "50", volume=None)
    )


def test_midnight_belongs_to_the_next_session() -> None:
    hourly = [a_bar(day(1) + 20 * HOUR, timeframe=Timeframe.H1), a_bar(day(2), "80", timeframe=Timeframe.H1)]

    assert match(an_instruction(limit="90", time_in_force=TimeInForce.DAY), hourly) == Expiry(day(2), hourly[1])


def test_the_last_bar_of_a_date_ends_its_session() -> None:
    last = a_bar(day(1) + 23 * HOUR, timeframe=Timeframe.H1)

    assert match(an_instruction(limit="90", time_in_force=TimeInForce.DAY), [last]) == Expiry(day(2), last)


@pytest.mark.parametrize(
    ("amount", "currency", "commission"),
    [
        ("35351.00", "USD", "35.35"),
        ("8005.00", "USD", "8.00"),
        ("8015.00", "USD", "8.02"),
        ("0.01", "USD", "0.00"),
        ("1" + "0" * 20, "USD", "1" + "0" * 17),
        ("289450", "JPY", "289"),
        ("500", "JPY", "0"),
        ("1500", "JPY", "2"),
        ("12.5", "KWD", "0.012"),
        ("0.025", "BTC", "0.00002500"),
        ("0.000005", "BTC", "0"),
        ("-0.01", "USD", "0.00"),
    ],
)
def test_commission_is_a_part_of_the_notional_rounded_half_even_by_the_currency(
    amount: str, currency: str, commission: str
) -> None:
    charged = VENUE.commission(Decimal(amount), currency)
    assert charged == Decimal(commission)
    assert not charged.is_signed()
