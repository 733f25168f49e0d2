"""What does not go as usual: late, repeated, foreign and unknown events, reversals, and readers who may not look."""

from __future__ import annotations

from decimal import Decimal

from libs.kit.ids import uuid7
from libs.schema.portfolio import PortfolioValued, PositionChanged
from libs.schema.values import Side, Timeframe
from tests.portfolio.builders import a_bar, a_fill, an_account
from tests.portfolio.conftest import Desk, open_desk
from tests.world import Running, World


async def test_a_redelivered_fill_is_posted_once(desk: Desk, world: World) -> None:
    row = world.envelope(a_fill(desk.account_id, 2, Side.BUY, "100", "101"), tenant_id=desk.tenant_id)
    await world.send(row, row)
    await world.settled("portfolio")
    await world.send(row)
    await world.settled("portfolio")
    assert (await desk.get("/v1/positions/AAPL"))["quantity"] == "100"
    await world.expect(PositionChanged, 1)


async def test_a_replay_that_the_inbox_has_forgotten_changes_nothing(desk: Desk, world: World) -> None:
    opening = world.envelope(an_account(desk.account_id), tenant_id=desk.tenant_id)
    bought = a_fill(desk.account_id, 2, Side.BUY, "100", "101", commission="10.10")
    fill = world.envelope(bought, tenant_id=desk.tenant_id)
    await world.send(fill)
    await world.settled("portfolio")
    await world.fetch("UPDATE portfolio.journal_entry SET event_id = $1 WHERE kind = 'deposit'", opening.event_id)
    await world.fetch("DELETE FROM portfolio.inbox")
    await world.send(opening, fill)
    await world.settled("portfolio")
    assert len((await desk.get("/v1/ledger"))["items"]) == 2  # type: ignore[arg-type]
    assert (await desk.get("/v1/portfolio"))["available_cash"] == "89889.90"
    assert await world.fetch("SELECT * FROM portfolio.dead_letter") == []
    await world.expect(PositionChanged, 1)


async def test_a_fill_after_its_bar_corrects_the_points_after_it(desk: Desk, world: World) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "1", "100"))
    await desk.receives(a_bar(1, "100"), a_bar(2, "105"), a_bar(3, "110"))
    await desk.receives(a_fill(desk.account_id, 2, Side.BUY, "100", "101"))
    assert await desk.history() == [("02", "100000.00"), ("03", "100405.00"), ("04", "100910.00")]
    valued = [(e.event.occurred_at.day, e.event.equity) for e in await world.expect(PortfolioValued, 5)]
    assert valued == [(2, 100000), (3, 100005), (4, 100010), (3, 100405), (4, 100910)]


async def test_a_first_fill_after_its_bars_makes_the_points_that_it_would_have_had(desk: Desk) -> None:
    await desk.receives(a_bar(1, "100"), a_bar(2, "105"), a_bar(3, "110"), a_bar(3, "7", "IBM"))
    assert await desk.history() == []
    await desk.receives(a_fill(desk.account_id, 2, Side.BUY, "100", "101"))
    assert await desk.history() == [("03", "100400.00"), ("04", "100900.00")]


async def test_a_late_sale_takes_back_the_points_of_days_on_which_nothing_was_held(desk: Desk, world: World) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "100"))
    await desk.receives(*(a_bar(number, "105") for number in (1, 2, 3, 4)))
    await desk.receives(a_fill(desk.account_id, 2, Side.SELL, "100", "103"))
    assert await desk.history() == [("02", "100500.00"), ("03", "100300.00")]
    told = [(e.event.occurred_at.day, e.event.equity) for e in await world.expect(PortfolioValued, 7)]
    assert told[4:] == [(3, 100300), (4, 100300), (5, 100300)]


async def test_a_fill_at_the_very_moment_of_a_close_counts_after_it(desk: Desk) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "1", "100"), a_bar(1, "100"))
    await desk.receives(a_fill(desk.account_id, 2, Side.BUY, "100", "90"), a_bar(2, "100"))
    assert await desk.history() == [("02", "100000.00"), ("03", "101000.00")]


async def test_a_close_that_comes_late_corrects_the_points_up_to_the_next_one(desk: Desk, world: World) -> None:
    await desk.receives(
        a_fill(desk.account_id, 1, Side.BUY, "10", "50", symbol="IBM"),
        a_fill(desk.account_id, 1, Side.BUY, "1", "100"),
        a_bar(1, "60", "IBM"),
        *(a_bar(number, "100") for number in (1, 2, 3, 4)),
    )
    assert await desk.history() == [(f"{day:02}", "100100.00") for day in (2, 3, 4, 5)]
    await desk.receives(a_bar(4, "90", "IBM"), a_bar(2, "70", "IBM"))
    expected = [("02", "100100.00"), ("03", "100200.00"), ("04", "100200.00"), ("05", "100400.00")]
    assert await desk.history() == expected
    assert len(world.published(PortfolioValued)) == 7


async def test_what_does_not_change_is_not_told_again(desk: Desk, world: World) -> None:
    for symbol, price in (("AAPL", "100"), ("IBM", "60"), ("MSFT", "30")):
        await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "1", price, symbol=symbol))
    await desk.receives(a_bar(1, "100"), a_bar(1, "60", "IBM"), a_bar(1, "30", "MSFT"))
    assert len(await world.expect(PortfolioValued, 1)) == 1


async def test_a_position_without_a_close_is_valued_at_cost(desk: Desk) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "3", "33.33", commission="0.10"))
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "1", "1", symbol="IBM"), a_bar(1, "1", "IBM"))
    position = await desk.get("/v1/positions/AAPL")
    assert [position["market_price"], position["market_value"], position["unrealised_pnl"]] == [None, "99.99", "0.00"]
    assert await desk.history() == [("02", "99999.90")]


async def test_a_position_of_half_a_unit_is_valued_at_the_even_one(desk: Desk) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "0.5", "0.00000001"), a_bar(1, "0.00000001"))
    await desk.receives(a_bar(2, "0.00000003"))
    assert await desk.history() == [("02", "100000.00"), ("03", "100000.00000002")]


async def test_a_reversal_closes_first_and_opens_the_rest_at_its_price(desk: Desk, world: World) -> None:
    await desk.receives(
        a_fill(desk.account_id, 1, Side.BUY, "100", "10", commission="1.00"),
        a_fill(desk.account_id, 2, Side.SELL, "150", "12", commission="1.80"),
        a_fill(desk.account_id, 3, Side.BUY, "50", "11", commission="0.55"),
        a_bar(3, "99"),
    )
    changed = [e.event for e in await world.expect(PositionChanged, 3)]
    assert [(e.quantity, e.average_cost, e.realised_pnl) for e in changed] == [
        (100, 10, 0),
        (-50, 12, 200),
        (0, 0, 250),
    ]
    portfolio = await desk.get("/v1/portfolio")
    assert [portfolio["equity"], portfolio["fees"], portfolio["invested_amount"]] == ["100246.65", "3.35", "0.00"]


async def test_two_workspaces_trade_apart(desk: Desk, world: World, running: Running) -> None:
    other = await open_desk(world, running)
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "10"))
    await other.receives(a_fill(other.account_id, 1, Side.SELL, "5", "10"), a_bar(1, "11"))
    assert (await desk.get("/v1/positions/AAPL"))["quantity"] == "100"
    assert (await other.get("/v1/positions/AAPL"))["quantity"] == "-5"
    assert [await desk.history(), await other.history()] == [[("02", "100100.00")], [("02", "99995.00")]]


async def test_another_workspace_sees_nothing(desk: Desk, running: Running) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "10"))
    stranger = await running.client(uuid7())
    paths = ("positions", "positions/AAPL", "portfolio", "portfolio/history", "portfolio/performance", "ledger")
    for named in ({}, {"account_id": str(desk.account_id)}):
        answers = {path: (await stranger.get(f"/v1/{path}", params=named)).status_code for path in paths}
        assert answers == dict.fromkeys(paths, 404)


async def test_a_fill_for_another_workspaces_account_is_dead_and_moves_nothing(desk: Desk, world: World) -> None:
    await world.publish(a_fill(desk.account_id, 1, Side.BUY, "100", "10"), tenant_id=uuid7())
    await world.settled("portfolio")
    assert (await desk.get("/v1/portfolio"))["available_cash"] == "100000.00"
    [grave] = await world.fetch("SELECT state, error FROM portfolio.dead_letter")
    assert grave["state"] == "dead"
    assert "there is no account" in grave["error"]


async def test_a_fill_in_another_currency_is_dead_and_moves_nothing(desk: Desk, world: World) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "100", "10", currency="EUR"))
    assert (await desk.get("/v1/portfolio"))["available_cash"] == "100000.00"
    [grave] = await world.fetch("SELECT error FROM portfolio.dead_letter")
    assert "is kept in USD, the fill is in EUR" in grave["error"]


async def test_a_bad_fill_does_not_keep_other_accounts_waiting(desk: Desk, world: World, running: Running) -> None:
    other = await open_desk(world, running)
    await world.publish(a_fill(uuid7(), 1, Side.BUY, "1", "10"), tenant_id=uuid7())
    await other.receives(a_fill(other.account_id, 1, Side.BUY, "7", "10"))
    assert (await other.get("/v1/positions/AAPL"))["quantity"] == "7"


async def test_only_bars_of_the_configured_length_value_accounts(desk: Desk, world: World) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "1", "100"))
    await desk.receives(a_bar(1, "100", timeframe=Timeframe.H1), a_bar(1, "100", timeframe=Timeframe.M1))
    assert await desk.history() == []
    assert world.published(PortfolioValued) == []


async def test_the_length_of_valuing_bars_is_a_setting(world: World) -> None:
    async with world.running("portfolio", portfolio_mark_timeframe="1h") as running:
        desk = await open_desk(world, running)
        await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "1", "100"))
        await desk.receives(a_bar(1, "100", timeframe=Timeframe.H1), a_bar(1, "100"))
        assert await desk.history() == [("01", "100000.00")]


async def test_an_account_has_no_points_from_before_it_was_known(desk: Desk, world: World, running: Running) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "1", "100"), a_bar(1, "100"))
    late = await open_desk(world, running)
    await late.receives(a_fill(late.account_id, 2, Side.BUY, "1", "100"), a_bar(2, "100"))
    assert [day for day, _ in await desk.history()] == ["02", "03"]
    assert [day for day, _ in await late.history()] == ["03"]


async def test_an_untraded_account_has_cash_and_no_performance(desk: Desk) -> None:
    portfolio = await desk.get("/v1/portfolio")
    assert [portfolio["equity"], portfolio["as_of"]] == ["100000.00", None]
    performance = await desk.get("/v1/portfolio/performance")
    assert performance == {
        "account_id": str(desk.account_id), "points": 0, "start": None, "end": None, "total_return": None,
        "volatility": None, "sharpe": None, "sortino": None, "max_drawdown": None,
    }  # fmt: skip


async def test_a_workspace_with_several_accounts_says_which_one_it_means(desk: Desk) -> None:
    second = uuid7()
    await desk.receives(an_account(second, cash="5.00"))
    ambiguous = await desk.client.get("/v1/portfolio")
    assert ambiguous.status_code == 422
    assert [error["pointer"] for error in ambiguous.json()["errors"]] == ["account_id"]
    assert (await desk.get("/v1/portfolio", account_id=str(second)))["equity"] == "5.00"


async def test_a_bad_parameter_is_named(desk: Desk) -> None:
    pointers = {
        "/v1/portfolio?account_id=me": "account_id",
        "/v1/positions?limit=1000000000": "limit",
        "/v1/portfolio/history?cursor=AAAA": "cursor",
        "/v1/ledger?limit=0": "limit",
        "/v1/positions/aapl;DROP": "symbol",
    }
    answers = {path: await desk.client.get(path) for path in pointers}
    assert {answer.status_code for answer in answers.values()} == {422}
    assert {path: answer.json()["errors"][0]["pointer"] for path, answer in answers.items()} == pointers


async def test_a_symbol_with_a_slash_is_asked_for_escaped(desk: Desk) -> None:
    await desk.receives(a_fill(desk.account_id, 1, Side.BUY, "2", "100", symbol="BTC/USDT"))
    assert (await desk.get("/v1/positions/BTC%2FUSDT"))["symbol"] == "BTC/USDT"
    assert (await desk.client.get("/v1/positions/BTC/USDT")).status_code == 404
    assert (await desk.client.get("/v1/positions/BTC%252FUSDT")).status_code == 422


async def test_a_position_never_held_is_not_found(desk: Desk) -> None:
    assert (await desk.client.get("/v1/positions/MSFT")).status_code == 404


async def test_reading_needs_a_token_with_the_scope(desk: Desk, running: Running) -> None:
    assert (await (await running.anonymous()).get("/v1/portfolio")).status_code == 401
    without = await running.client(desk.tenant_id, scopes=("orders:read",))
    assert (await without.get("/v1/portfolio")).status_code == 403


async def test_the_books_balance_after_everything(desk: Desk, world: World) -> None:
    await desk.receives(
        a_fill(desk.account_id, 1, Side.BUY, "0.33333333", "99.99999999", commission="0.03"),
        a_fill(desk.account_id, 2, Side.SELL, "0.11111111", "101.5", commission="0.01"),
        a_fill(desk.account_id, 3, Side.SELL, "7", "0.00000007", commission="0.01"),
        a_bar(4, "100.12345678"),
    )
    [sums] = await world.fetch("SELECT sum(amount), count(*) FROM portfolio.posting")
    assert (sums[0], sums[1] > 8) == (Decimal(0), True)
    portfolio = {name: Decimal(str(value)) for name, value in (await desk.get("/v1/portfolio")).items()
                 if name not in {"account_id", "name", "currency", "as_of"}}  # fmt: skip
    gains = portfolio["realised_pnl"] + portfolio["unrealised_pnl"] - portfolio["fees"]
    assert (
        portfolio["equity"] == portfolio["deposits"] + gains == portfolio["available_cash"] + portfolio["market_value"]
    )
    assert await desk.history() == [("05", (await desk.get("/v1/portfolio"))["equity"])]
