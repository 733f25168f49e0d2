"""A feed lists an instrument and records bars; the world hears of each bar once, in order."""

from __future__ import annotations

from decimal import Decimal

from httpx2 import AsyncClient

from libs.schema.marketdata import BarClosed, InstrumentListed
from tests.world import World


def a_bar(day: int = 1, **changes: str) -> dict[str, str]:
    return {
        "symbol": "AAPL", "timeframe": "1d", "open_time": f"2011-03-{day:02}T00:00:00Z",
        "open": "100", "high": "110.5", "low": "99.5", "close": "105", "volume": "1000",
    } | changes  # fmt: skip


async def test_recorded_bars_are_published_once_in_the_order_of_their_times(feed: AsyncClient, world: World) -> None:
    answer = await feed.post("/v1/bars", json={"bars": [a_bar(2), a_bar(1)]})

    assert (answer.status_code, answer.json()) == (201, {"accepted": 2, "duplicates": 0})
    first, second = await world.expect(BarClosed, 2)
    assert [first.sequence, second.sequence] == [1, 2]
    assert first.subject == second.subject
    assert first.event.open_time.isoformat() == "2011-03-01T00:00:00+00:00"
    assert first.event.occurred_at == second.event.open_time
    assert first.event.close == Decimal(105)
    assert first.tenant_id is None


async def test_an_instrument_is_listed_once(feed: AsyncClient, world: World) -> None:
    again = await feed.post("/v1/instruments", json={"symbol": "AAPL", "name": "Apple", "currency": "USD"})

    assert again.status_code == 409
    assert [e.event.symbol for e in await world.expect(InstrumentListed, 1)] == ["AAPL"]


async def test_an_instrument_with_a_slash_is_asked_for_escaped(feed: AsyncClient) -> None:
    await feed.post("/v1/instruments", json={"symbol": "BTC/USDT", "name": "Bitcoin", "currency": "USD"})

    answer = await feed.get("/v1/instruments/BTC%2FUSDT")

    assert (answer.status_code, answer.json()["symbol"]) == (200, "BTC/USDT")


async def test_bars_are_read_in_pages_in_the_order_of_their_times(feed: AsyncClient) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(day) for day in (3, 1, 5, 2, 4)]})

    seen: list[str] = []
    params = {"symbol": "AAPL", "limit": "2"}
    while True:
        answer = (await feed.get("/v1/bars", params=params)).json()
        seen += [bar["open_time"][8:10] for bar in answer["items"]]
        if answer["next_cursor"] is None:
            break
        params["cursor"] = answer["next_cursor"]

    assert seen == ["01", "02", "03", "04", "05"]


async def test_a_range_is_half_open(feed: AsyncClient) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(day) for day in (1, 2, 3)]})

    params = {"symbol": "AAPL", "start": "2011-03-01T00:00:00Z", "end": "2011-03-03T00:00:00Z"}
    answer = (await feed.get("/v1/bars", params=params)).json()

    assert [bar["open_time"][8:10] for bar in answer["items"]] == ["01", "02"]
