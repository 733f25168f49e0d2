"""Which route is a path of? Escaped slashes are part of names, lead nowhere else, and are decoded once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated
from urllib.parse import quote

import pytest
from fastapi import Path
from httpx2 import ASGITransport, AsyncClient
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.http.app import bare_app
from libs.kit.http.paths import leads_upwards, name_of, path_of
from libs.kit.http.routes import Router

router = Router()


@router.get("/v1/pairs/{name}")
async def pair(name: Annotated[str, Path(max_length=32)]) -> list[str]:
    return ["pair", name]


@router.get("/v1/pairs/{name}/orders/{number}")
async def order_of_pair(name: str, number: int) -> list[str]:
    return ["order", name, str(number)]


@router.get("/v1/secrets")
async def secrets() -> list[str]:
    return ["secrets"]


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(bare_app("pairs", [router]))
    async with AsyncClient(transport=transport, base_url="http://pairs", follow_redirects=True) as asking:
        yield asking


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/pairs/BTC%2FUSDT", ["pair", "BTC/USDT"]),
        ("/v1/pairs/BTC%2fUSDT", ["pair", "BTC/USDT"]),
        ("/v1/pairs/%2F", ["pair", "/"]),
        ("/v1/pairs/BTC%252FUSDT", ["pair", "BTC%2FUSDT"]),
        ("/v1/pairs/50%25%2F50", ["pair", "50%/50"]),
        ("/v1/pairs/M%26M", ["pair", "M&M"]),
        ("/v1/pairs/%C3%A9%2F%C3%A9", ["pair", "é/é"]),
        ("/v1/p%61irs/A", ["pair", "A"]),
        ("/v1/pairs/A%2Forders%2F7", ["pair", "A/orders/7"]),
        ("/v1/pairs/A%2FB/orders/7", ["order", "A/B", "7"]),
    ],
)
async def test_a_slash_that_is_escaped_is_part_of_a_name(client: AsyncClient, path: str, wanted: list[str]) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (200, wanted)


@pytest.mark.parametrize(
    "path",
    [
        "/v1%2Fsecrets",
        "/v1/secrets%2F",
        "/v1/pairs%2FA",
        "/v1/pairs/BTC/USDT",
        "/v1/pairs/..%2Fsecrets",
        "/v1/pairs/..%2F..%2Fv1%2Fsecrets",
        "/v1/pairs/%2E%2E%2Fsecrets",
        "/v1/pairs/A%2F..",
        "/v1/pairs/A%2F.%2FB",
        "/v1/pairs/%2e%2e/secrets",
    ],
)
async def test_an_escaped_slash_opens_no_other_route(client: AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:fillstream:problem:not-found")


async def test_a_name_with_a_slash_is_checked_like_others(client: AsyncClient) -> None:
    answer = await client.get("/v1/pairs/" + quote("/" * 33, safe=""))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "name")


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_segments_are_told_apart_and_read_back_whatever_they_hold(names: list[str]) -> None:
    raw = "/".join(quote(name, safe="") for name in names)
    path = path_of({"raw_path": raw.encode()})
    assert [name_of(segment) for segment in path.split("/")] == names


@given(st.lists(st.sampled_from(["..", ".", "a", "..a", "%", "%2e", "%2F..", "/", "a/..", "../a"]), min_size=1))
def test_what_leads_upwards_is_known_behind_slashes_of_both_kinds(names: list[str]) -> None:
    path = path_of({"raw_path": "/".join(quote(name, safe="") for name in names).encode()})
    assert leads_upwards(path) == bool({".", ".."} & set("/".join(names).split("/")))


def test_the_document_says_that_a_name_is_escaped() -> None:
    [parameter] = bare_app("pairs", [router]).openapi()["paths"]["/v1/pairs/{name}"]["get"]["parameters"]
    assert (parameter["in"], parameter["schema"]["type"]) == ("path", "string")
    assert "%2F" in parameter["description"]
