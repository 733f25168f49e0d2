"""A wrong bar is replaced by a correction alone, once, and the world hears of it after the bar itself."""

from __future__ import annotations

from decimal import Decimal

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.marketdata import BarClosed, BarCorrected
from tests.marketdata.test_typical_journey import a_bar
from tests.world import Running, World


async def closes(feed: AsyncClient) -> list[str]:
    return [bar["close"] for bar in (await feed.get("/v1/bars", params={"symbol": "AAPL"})).json()["items"]]


async def test_a_corrected_bar_is_kept_and_told_with_what_it_was(feed: AsyncClient, world: World) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(1), a_bar(2)]})

    answer = await feed.post("/v1/bars/corrections", json=a_bar(1, close="99.75", low="99", volume="2"))

    assert answer.status_code == 200, answer.text
    assert (answer.json()["bar"]["close"], answer.json()["previous"]["close"]) == ("99.75", "105.00")
    assert await closes(feed) == ["99.75", "105.00"]
    first, second = await world.expect(BarClosed, 2)
    [told] = await world.expect(BarCorrected, 1)
    event = told.event
    assert (told.subject, told.sequence, told.tenant_id) == (first.subject, second.sequence + 1, None)
    assert (event.occurred_at, event.partition_key()) == (first.event.occurred_at, "AAPL")
    assert (event.close, event.low, event.volume) == (Decimal("99.75"), 99, 2)
    assert (event.previous_close, event.previous_low, event.previous_volume) == (105, Decimal("99.5"), 1000)


async def test_a_correction_to_what_is_kept_changes_nothing(feed: AsyncClient, world: World) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(1)]})
    same = await feed.post("/v1/bars/corrections", json=a_bar(1, close="105.000"))
    await feed.post("/v1/bars/corrections", json=a_bar(1, close="104"))

    assert same.json()["bar"] == same.json()["previous"]
    assert [told.event.close for told in await world.expect(BarCorrected, 1)] == [104]


async def test_a_correction_with_a_key_is_done_once(feed: AsyncClient, world: World) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(1)]})
    key = {"Idempotency-Key": "correction"}
    first = await feed.post("/v1/bars/corrections", json=a_bar(1, close="104"), headers=key)
    await feed.post("/v1/bars/corrections", json=a_bar(1, close="103"))
    again = await feed.post("/v1/bars/corrections", json=a_bar(1, close="104"), headers=key)

    assert again.json() == first.json()
    assert await closes(feed) == ["103.00"]
    assert [told.sequence for told in await world.expect(BarCorrected, 2)] == [2, 3]


@pytest.mark.parametrize("unknown", [{"symbol": "IBM"}, {"timeframe": "1h"}, {"open_time": "2011-03-02T00:00:00Z"}])
async def test_a_bar_that_is_not_kept_is_not_corrected(
    feed: AsyncClient, world: World, unknown: dict[str, str]
) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(1)]})

    answer = await feed.post("/v1/bars/corrections", json=a_bar(1, close="104", **unknown))

    assert (answer.status_code, answer.json()["detail"][:16]) == (404, "there is no bar ")
    assert await closes(feed) == ["105.00"]
    assert world.published(BarCorrected) == []


async def test_a_correction_is_as_consistent_as_any_bar(feed: AsyncClient) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(1)]})
    answer = await feed.post("/v1/bars/corrections", json=a_bar(1, high="104"))
    assert (answer.status_code, await closes(feed)) == (422, ["105.00"])


async def test_whoever_only_reads_corrects_nothing(running: Running, feed: AsyncClient) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(1)]})
    reader = await running.client(uuid7(), scopes=("marketdata:read",))
    assert (await reader.post("/v1/bars/corrections", json=a_bar(1, close="104"))).status_code == 403
    assert await closes(feed) == ["105.00"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"close": "106"}, "close 106 for 105. Should the kept one be wrong, correct it: POST /v1/bars/corrections"),
        (
            {"open": "25", "high": "27.625", "low": "24.875", "close": "26.25", "volume": "4000"},
            "0.25 times those that",
        ),
        ({"open": "100.00001"}, "They differ by less than a millionth: import the file with --decimals"),
    ],
)
async def test_a_contradiction_says_what_it_looks_like_and_what_to_do(
    feed: AsyncClient, changes: dict[str, str], said: str
) -> None:
    await feed.post("/v1/bars", json={"bars": [a_bar(1)]})

    answer = await feed.post("/v1/bars", json={"bars": [a_bar(1, **changes)]})

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:fillstream:problem:bar-conflict")
    assert said in answer.json()["detail"]
    assert await closes(feed) == ["105.00"]
