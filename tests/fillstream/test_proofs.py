"""The demo's proofs hold for an honest run and fail, each by its name, for one that was tampered with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from fillstream.contexts import load_all
from fillstream.demo.outcome import read_result
from fillstream.demo.proofs import Evidence, count_events, prove
from fillstream.embedded.stack import Endpoints
from fillstream.replay import replay_in_lockstep
from tests.fillstream.builders import (
    SMALL_WORKSPACES,
    House,
    a_house,
    a_walk,
    an_installation,
    no_step,
    together,
)


@dataclass(frozen=True)
class Finished:
    """A small run that is over, its services still there."""

    house: House
    evidence: Evidence

    async def verdicts(self) -> dict[str, tuple[str, ...]]:
        """What contradicts each proof."""
        return {proof.name: proof.violations for proof in await prove(self.evidence)}

    async def failing(self) -> set[str]:
        return {name for name, violations in (await self.verdicts()).items() if violations}

    async def after(self, statement: str, *undo: str) -> dict[str, tuple[str, ...]]:
        """The failing proofs with their violations after a change, which is taken back afterwards."""
        await self.house.fetch(statement)
        try:
            return {name: violations for name, violations in (await self.verdicts()).items() if violations}
        finally:
            for one in undo:
                await self.house.fetch(one)


@pytest.fixture(scope="module")
async def finished(stack: Endpoints, template: str) -> AsyncIterator[Finished]:
    bars = together(a_walk("AAPL", 40), a_walk("IBM", 40))
    async with an_installation(stack, template) as where, a_house(where, SMALL_WORKSPACES) as house:
        await replay_in_lockstep(house.marketdata, house.in_flight, bars, no_step)
        yield Finished(house, Evidence(where, load_all(), house.tenants, bars))


async def kept(finished: Finished, table: str) -> None:
    """Keep a copy, from which a table is restored."""
    await finished.house.fetch(f"CREATE TABLE IF NOT EXISTS public.{table.replace('.', '_')} AS SELECT * FROM {table}")


def restored(table: str) -> tuple[str, str]:
    return f"TRUNCATE {table} CASCADE", f"INSERT INTO {table} SELECT * FROM public.{table.replace('.', '_')}"


async def test_an_honest_run_is_proved_and_counted(finished: Finished) -> None:
    proofs = await prove(finished.evidence)
    assert [proof.name for proof in proofs] == [
        "events_consumed_once", "books_balance", "stream_equals_backtest", "notifications_match_fills",
    ]  # fmt: skip
    assert all(proof.holds for proof in proofs), [proof.violations for proof in proofs]
    events = await count_events(finished.evidence)
    assert proofs[0].looked_at.startswith(f"{events} events, ")
    assert events > 2 * 40


async def test_what_the_api_tells_is_what_the_backtest_finds(finished: Finished) -> None:
    for tenant in finished.house.tenants:
        result = await read_result(tenant)
        assert result.outcome.fills == len(result.outcome.trades) > 3
        assert 0 < len(result.history) <= 40
        assert f"{result.history[-1]:.2f}" == result.outcome.equity
        assert result.outcome.sharpe is not None


async def test_a_notification_that_is_missing_is_noticed(finished: Finished) -> None:
    await kept(finished, "notifications.notification")
    found = await finished.after(
        "DELETE FROM notifications.notification WHERE id IN "
        "(SELECT id FROM notifications.notification WHERE metadata ? 'fill_id' LIMIT 1)",
        *restored("notifications.notification"),
    )
    assert list(found) == ["notifications_match_fills"]
    [violation] = found["notifications_match_fills"]
    assert "1 x not told: Execution(" in violation


async def test_a_notification_of_a_fill_that_never_was_is_noticed(finished: Finished) -> None:
    await kept(finished, "notifications.notification")
    found = await finished.after(
        "UPDATE notifications.notification SET metadata = jsonb_set(metadata, '{price}', '\"1.00\"') WHERE id IN "
        "(SELECT id FROM notifications.notification WHERE metadata ? 'fill_id' LIMIT 1)",
        *restored("notifications.notification"),
    )
    assert list(found) == ["notifications_match_fills"]
    assert len(found["notifications_match_fills"]) == 2


async def test_a_fill_at_another_price_is_noticed(finished: Finished) -> None:
    await kept(finished, "orders.fill")
    found = await finished.after(
        "UPDATE orders.fill SET last_price = last_price + 0.01 WHERE id IN (SELECT id FROM orders.fill LIMIT 1)",
        *restored("orders.fill"),
    )
    assert set(found) == {"stream_equals_backtest", "notifications_match_fills"}
    only_stream, only_backtest = found["stream_equals_backtest"]
    assert ("only the stream has" in only_stream, "only the backtest has" in only_backtest) == (True, True)


async def test_a_fill_that_came_twice_is_noticed(finished: Finished) -> None:
    await kept(finished, "orders.fill")
    columns = [
        row[0]
        for row in await finished.house.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'orders' AND table_name = 'fill' "
            "ORDER BY ordinal_position"
        )
    ]
    copied = ["gen_random_uuid()" if name in {"id", "execution_id"} else name for name in columns]
    found = await finished.after(
        f"INSERT INTO orders.fill ({', '.join(columns)}) SELECT {', '.join(copied)} FROM orders.fill LIMIT 1",
        *restored("orders.fill"),
    )
    assert set(found) == {"books_balance", "stream_equals_backtest", "notifications_match_fills"}


async def test_a_posting_without_its_other_half_is_noticed(finished: Finished) -> None:
    await kept(finished, "portfolio.posting")
    found = await finished.after(
        "UPDATE portfolio.posting SET amount = amount + 0.01 WHERE ledger_account = 'cash' AND entry_id = "
        "(SELECT entry_id FROM portfolio.posting WHERE ledger_account = 'cash' LIMIT 1)",
        *restored("portfolio.posting"),
    )
    assert list(found) == ["books_balance"]
    debits, worth = found["books_balance"]
    assert "debits exceed credits by 0.01" in debits
    assert "cash and positions are worth" in worth


async def test_an_equity_that_is_a_cent_off_is_noticed(finished: Finished) -> None:
    await kept(finished, "portfolio.equity_point")
    found = await finished.after(
        "UPDATE portfolio.equity_point SET equity = equity + 0.01, cash = cash + 0.01 "
        "WHERE as_of = (SELECT max(as_of) FROM portfolio.equity_point)",
        *restored("portfolio.equity_point"),
    )
    assert set(found) == {"books_balance", "stream_equals_backtest"}


async def test_an_event_that_a_consumer_missed_is_noticed(finished: Finished) -> None:
    await kept(finished, "portfolio.inbox")
    found = await finished.after(
        "DELETE FROM portfolio.inbox WHERE event_id IN (SELECT event_id FROM portfolio.inbox LIMIT 1)",
        *restored("portfolio.inbox"),
    )
    assert list(found) == ["events_consumed_once"]
    [violation] = found["events_consumed_once"]
    assert violation.startswith("portfolio did not consume ")


async def test_a_dead_letter_is_noticed(finished: Finished) -> None:
    found = await finished.after(
        """INSERT INTO signals.dead_letter (id, topic, partition, "offset", headers, state, error, attempts)
        VALUES (gen_random_uuid(), 'bars.v1', 0, 0, '[]', 'dead', 'made up', 1)""",
        "DELETE FROM signals.dead_letter",
    )
    assert found == {"events_consumed_once": ("signals has 1 rows in dead_letter",)}


async def test_an_event_that_is_in_no_log_is_noticed(finished: Finished) -> None:
    await kept(finished, "marketdata.event_log")
    found = await finished.after(
        "DELETE FROM marketdata.event_log WHERE event_id IN (SELECT event_id FROM marketdata.event_log WHERE type "
        "LIKE 'bars.%' LIMIT 1)",
        *restored("marketdata.event_log"),
    )
    assert list(found) == ["events_consumed_once"]
    assert any("is in a topic but in no log" in violation for violation in found["events_consumed_once"])
    assert sum("which nobody published" in violation for violation in found["events_consumed_once"]) == 3


async def test_after_all_that_the_run_is_proved_again(finished: Finished) -> None:
    assert await finished.failing() == set()
