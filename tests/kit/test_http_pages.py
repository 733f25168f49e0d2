"""How is a long list read? In pages that neither repeat nor lose a row; a bad cursor is the client's mistake."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from libs.kit.errors import Invalid
from libs.kit.http.pagination import MAX_LIMIT, Position, parse_cursor
from tests.kit.test_http_problems import problem


def encoded(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


async def test_pages_neither_repeat_nor_lose_a_row(client: AsyncClient) -> None:
    for number in range(7):
        await client.post("/v1/counters", json={"name": f"c{number}"})

    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "3"} | ({} if cursor is None else {"cursor": cursor})
        answer = (await client.get("/v1/counters", params=params)).json()
        seen += [item["name"] for item in answer["items"]]
        assert len(answer["items"]) <= 3
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"c{number}" for number in range(7)]


async def test_a_last_page_that_is_full_names_no_next_one(client: AsyncClient) -> None:
    for number in range(3):
        await client.post("/v1/counters", json={"name": f"c{number}"})
    assert (await client.get("/v1/counters", params={"limit": 3})).json()["next_cursor"] is None


@pytest.mark.parametrize("limit", ["1e9", "1000000000", "0", "-1", "501", "1.5", "many", "", "9" * 5000, "NaN"])
async def test_a_limit_out_of_bounds_is_refused(client: AsyncClient, limit: str) -> None:
    answer = await client.get("/v1/counters", params={"limit": limit})
    assert problem(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == "limit"


async def test_the_largest_limit_is_taken(client: AsyncClient) -> None:
    assert (await client.get("/v1/counters", params={"limit": MAX_LIMIT})).status_code == 200


BAD = [
    "x",
    "====",
    "é",
    "\0",
    encoded(None),
    encoded(7),
    encoded([]),
    encoded({"a": 1, "b": 2}),
    encoded([1, 2]),
    encoded([None, None]),
    encoded(["2011-03-01T00:00:00Z", 7]),
    encoded(["2011-03-01T00:00:00Z", "x"]),
    encoded(["yesterday", str(UUID(int=0))]),
    encoded(["0001-01-01T00:00:00+14:00", str(UUID(int=0))]),
    encoded(["9999-12-31T23:59:59-14:00", str(UUID(int=0))]),
    encoded(["2011-03-01T00:00:00", str(UUID(int=0))]),
    base64.urlsafe_b64encode(b"[" * 200).decode(),
    base64.urlsafe_b64encode(b"\xff\xfe\x00").decode(),
    "x" * 301,
]


@pytest.mark.parametrize("cursor", BAD)
async def test_a_bad_cursor_is_refused(client: AsyncClient, cursor: str) -> None:
    answer = await client.get("/v1/counters", params={"cursor": cursor})
    assert problem(answer) == (422, "invalid")
    assert answer.json()["errors"][0]["pointer"] == "cursor"


positions = st.builds(Position, st.datetimes(timezones=st.just(UTC)).filter(lambda at: at.year > 1), st.uuids())


@given(positions)
def test_a_cursor_gives_its_position_back(position: Position) -> None:
    assert parse_cursor(position.cursor()) == position


@given(
    st.text()
    | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())
    | st.builds(encoded, st.lists(st.text()))
)
def test_no_text_makes_a_cursor_fail_otherwise(cursor: str) -> None:
    with suppress(Invalid):
        assert isinstance(parse_cursor(cursor).at, datetime)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(cursor=st.text(st.characters(codec="utf-8"), max_size=40) | positions.map(Position.cursor))
async def test_no_cursor_makes_the_service_fail(client: AsyncClient, cursor: str) -> None:
    answer = await client.get("/v1/counters", params={"cursor": cursor})
    assert answer.status_code in (200, 422), answer.text
