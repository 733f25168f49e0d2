"""What a bad batch of bars meets: a clear problem, and nothing half-kept."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import quote

import pytest
from httpx2 import AsyncClient

from libs.schema.marketdata import BarClosed
from tests.marketdata.test_typical_journey import a_bar
from tests.world import World


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
        ({"volume": "1" * 21}, "/bars/0/volume"),
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


async def test_what_prices_are_in_is_never_taken_for_granted(feed: AsyncClient) -> None:
    silent = await feed.post("/v1/instruments", json={"symbol": "BP.L", "name": "BP"})
    pence = await feed.post("/v1/instruments", json={"symbol": "BP.L", "name": "BP", "currency": "GBX"})

    assert [(one.status_code, one.json()["errors"][0]["pointer"]) for one in (silent, pence)] == [
        (422, "/currency")
    ] * 2
    assert "GBX is a hundredth of GBP: list it in GBP" in pence.json()["errors"][0]["message"]
    assert (await feed.get("/v1/instruments/BP.L")).status_code == 404


@pytest.mark.parametrize(
    "symbol", ["M&M", "J&KBANK", "^NSEI", "BAJAJ-AUTO", "0700.HK", "RELIANCE-EQ", "BRK.B", "EUR=X"]
)
async def test_a_symbol_as_exchanges_write_it_is_listed_and_found(feed: AsyncClient, symbol: str) -> None:
    listed = await feed.post("/v1/instruments", json={"symbol": symbol, "name": symbol, "currency": "INR"})
    told = await feed.post("/v1/bars", json={"bars": [a_bar(1, symbol=symbol)]})

    assert (listed.status_code, told.status_code) == (201, 201)
    assert (await feed.get(f"/v1/instruments/{quote(symbol, safe='')}")).json()["symbol"] == symbol
    found = (await feed.get("/v1/bars", params={"symbol": symbol})).json()["items"]
    assert [bar["symbol"] for bar in found] == [symbol]


async def test_bars_of_a_symbol_with_a_slash_are_kept(feed: AsyncClient) -> None:
    await feed.post("/v1/instruments", json={"symbol": "BTC/USDT", "name": "Bitcoin", "currency": "USDT"})
    await feed.post("/v1/bars", json={"bars": [a_bar(1, symbol="BTC/USDT")]})

    assert len((await feed.get("/v1/bars", params={"symbol": "BTC/USDT"})).json()["items"]) == 1


@pytest.mark.parametrize("volume", ["116204335871944", "99999999999999999999.99999999"])
async def test_a_volume_is_kept_and_told_to_the_last_digit(feed: AsyncClient, world: World, volume: str) -> None:
    answer = await feed.post("/v1/bars", json={"bars": [a_bar(1, volume=volume)]})

    assert answer.status_code == 201, answer.text
    [kept] = (await feed.get("/v1/bars", params={"symbol": "AAPL"})).json()["items"]
    assert kept["volume"] == volume
    assert (await world.expect(BarClosed, 1))[0].event.volume == Decimal(volume)


async def test_more_bars_than_allowed_are_refused(feed: AsyncClient) -> None:
    answer = await feed.post("/v1/bars", json={"bars": [a_bar(1)] * 5001})

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/bars")


async def test_five_thousand_bars_fit_in_one_request(feed: AsyncClient) -> None:
    bars = [a_bar(1) | {"timeframe": "1m", "open_time": f"2011-{m:02}-{d:02}T{h:02}:{n:02}:00Z"}
            for m in range(1, 13) for d in range(1, 3) for h in range(24) for n in range(0, 60, 6)][:5000]  # fmt: skip
    bars = [bar | {"close": "105.12345678", "volume": "123456789.12345678"} for bar in bars]
    answer = await feed.post("/v1/bars", json={"bars": bars})

    assert answer.json()["accepted"] == len(bars)
