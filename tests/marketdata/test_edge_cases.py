"""What a bad batch of bars meets: a clear problem, and nothing half-kept."""

from __future__ import annotations

import pytest
from httpx2 import AsyncClient

from libs.schema.marketdata import BarClosed
from tests.marketdata.test_typical_journey import a_bar, feed
from tests.world import World

__all__ = ["feed"]


async def count(feed: AsyncClient) -> int:
    return len((await feed.get("/v1/bars", params={"symbol": "AAPL"})).json()["items"])


async def test_an_exact_duplicate_is_accepted_and_not_published_again(feed: AsyncClient, world: World) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(1)]})

    again = await feed.post("/v1/bars", json={"bars": [a_bar(1, close="105.00"), a_bar(2)]})

    assert again.json() == {"accepted": 1, "duplicates": 1}
    assert [e.sequence for e in await world.expect(BarClosed, 2)] == [1, 2]


async def test_a_conflicting_bar_refuses_the_whole_batch(feed: AsyncClient) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(1)]})

    answer = await feed.post("/v1/bars", json={"bars": [a_bar(2), a_bar(1, close="106")]})

    assert answer.status_code == 409
    assert "AAPL 1d 2011-03-01" in answer.json()["detail"]
    assert await count(feed) == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"high": "104"}, "/bars/0"),
        ({"low": "100.5"}, "/bars/0"),
        ({"open": "-1"}, "/bars/0/open"),
        ({"open": "0"}, "/bars/0/open"),
        ({"close": "NaN"}, "/bars/0/close"),
        ({"close": "Infinity"}, "/bars/0/close"),
        ({"close": "1" * 30}, "/bars/0/close"),
        ({"close": "1.123456789"}, "/bars/0/close"),
        ({"volume": "-1"}, "/bars/0/volume"),
        ({"open_time": "2011-03-01T00:00:00"}, "/bars/0/open_time"),
        ({"open_time": "yesterday"}, "/bars/0/open_time"),
        ({"open_time": "9999-12-31T00:00:00Z"}, "/bars/0"),
        ({"timeframe": "7m"}, "/bars/0/timeframe"),
        ({"symbol": "aapl; DROP"}, "/bars/0/symbol"),
        ({"symbol": "ZZZZ"}, "/bars/0/symbol"),
        ({"colour": "red"}, "/bars/0/colour"),
    ],
)
async def test_a_bad_field_is_named_and_nothing_is_kept(
    feed: AsyncClient, changes: dict[str, str], pointer: str
) -> None:
    answer = await feed.post("/v1/bars", json={"bars": [a_bar(1, **changes), a_bar(2)]})

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await count(feed) == 0


async def test_a_float_is_refused_so_that_no_digit_is_lost(feed: AsyncClient) -> None:
    answer = await feed.post("/v1/bars", json={"bars": [a_bar(1) | {"close": 105.1}]})

    assert answer.status_code == 422
    assert "strings" in answer.json()["errors"][0]["message"]


async def test_more_bars_than_allowed_are_refused(feed: AsyncClient) -> None:
    answer = await feed.post("/v1/bars", json={"bars": [a_bar(1)] * 5001})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/bars")


async def test_five_thousand_bars_fit_in_one_request(feed: AsyncClient) -> None:
    bars = [a_bar(1) | {"timeframe": "1m", "open_time": f"2011-{m:02}-{d:02}T{h:02}:{n:02}:00Z"}
            for m in range(1, 13) for d in range(1, 3) for h in range(24) for n in range(0, 60, 6)][:5000]  # fmt: skip
    bars = [bar | {"close": "105.12345678", "volume": "123456789.12345678"} for bar in bars]
    answer = await feed.post("/v1/bars", json={"bars": bars})

    assert answer.json()["accepted"] == len(bars)
