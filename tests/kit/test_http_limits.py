"""How much does a request may bring? No more than is allowed, however it is sent and whatever it looks like."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest
from httpx2 import AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from libs.kit.errors import Rejected, TooLarge
from libs.kit.http.routes import LARGE_BODY, Router, read_body
from libs.kit.http.strict_json import HoldsNul, Limits, MalformedJson, TooDeep, parse
from tests.kit.api import Api
from tests.kit.test_http_problems import problem, send

TEN_MEGABYTES = 10_000_000
_FEW = Limits(1000, 10, 100)
_LARGE = Limits(2_000_000, 32, 31_250)


async def test_ten_megabytes_are_too_large(client: AsyncClient) -> None:
    answer = await send(client, b'{"name": "' + b"x" * TEN_MEGABYTES + b'"}')
    assert problem(answer) == (413, "too-large")


async def test_ten_megabytes_in_chunks_are_too_large_and_not_read_to_the_end(client: AsyncClient) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < TEN_MEGABYTES:
            sent += 100_000
            yield b"x" * 100_000

    answer = await client.post("/v1/counters", content=chunks(), headers={"Content-Type": "application/json"})
    assert problem(answer) == (413, "too-large")


@pytest.mark.parametrize("body", [b"x" * TEN_MEGABYTES, b"[" * 1_800_000, b'{"name": ', b"\xff"])
async def test_whoever_has_no_token_is_told_so_whatever_they_send(anonymous: AsyncClient, body: bytes) -> None:
    assert problem(await send(anonymous, body)) == (401, "unauthenticated")


async def test_nothing_of_a_body_is_read_before_the_token_is_right(anonymous: AsyncClient) -> None:
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(10):
            read += 1
            yield b"[" * 10_000

    headers = {"Content-Type": "application/json", "Authorization": "Bearer nobody's"}
    answer = await anonymous.post("/v1/counters", content=chunks(), headers=headers)
    assert (problem(answer), read) == ((401, "unauthenticated"), 0)


async def test_a_body_is_parsed_once(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str | bytes] = []
    loads = json.loads

    def note(text: str | bytes, **how: object) -> object:
        parsed.append(text)
        return loads(text, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(json, "loads", note)
    answer = await client.post("/v1/counters", json={"name": "once"})
    assert answer.status_code == 201
    assert parsed.count('{"name":"once"}') == 1
    assert b'{"name":"once"}' not in parsed


@pytest.mark.parametrize("length", ["99999999999", "-1", "abc", "²"])
async def test_an_announced_length_is_believed_only_against_the_client(length: str) -> None:
    request = _request([b"{}"], [(b"content-length", length.encode("latin-1"))])
    if length != "99999999999":
        await read_body(request, _FEW)
        return
    with pytest.raises(TooLarge):
        await read_body(request, _FEW)


async def test_the_largest_body_is_taken_and_one_byte_more_is_not() -> None:
    request = _request([b"x" * 600, b"x" * 400])
    await read_body(request, _FEW)
    assert len(await request.body()) == 1000
    with pytest.raises(TooLarge):
        await read_body(_request([b"x" * 600, b"x" * 401]), _FEW)


async def test_a_client_that_leaves_in_the_middle_is_not_served() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"name": "x"}', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    with pytest.raises(ClientDisconnect):
        await read_body(Request({"type": "http", "method": "POST", "headers": []}, receive), _FEW)


async def test_only_routes_that_import_take_large_bodies(api: Api, client: AsyncClient) -> None:
    text = json.dumps({"name": "x" * 100_000})
    usual = await send(client, text.encode())
    assert problem(usual) == (413, "too-large")
    large = await client.post("/v1/imports", content=text, headers={"Content-Type": "application/json"})
    assert problem(large) == (422, "invalid")


def test_a_route_of_large_bodies_wants_a_token() -> None:
    routes = Router()

    async def anybody() -> None: ...

    with pytest.raises(ValueError, match="from anybody"):
        routes.post("/v1/anything", dependencies=[LARGE_BODY])(anybody)


async def test_more_containers_than_are_taken_are_refused_before_any_is_made(client: AsyncClient) -> None:
    body = b'{"name": [' + b",".join([b"[]"] * 2_000) + b"]}"
    assert problem(await send(client, body)) == (400, "too-deep")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "latin-1"])
async def test_json_is_utf_8(client: AsyncClient, encoding: str) -> None:
    body = '{"name": "é"}'.encode(encoding)
    assert problem(await send(client, body)) == (400, "malformed-json")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=1&symbols=x", ["symbols"]),
        ("a&b=", ["a", "b"]),
        ("limit=1&limit=2", ["limit"]),
        ("Limit=1", ["Limit"]),
        ("limit%00=1", ["limit\0"]),
    ],
)
async def test_a_parameter_that_makes_no_sense_is_named(client: AsyncClient, query: str, names: list[str]) -> None:
    answer = await client.get(f"/v1/counters?{query}")
    assert problem(answer) == (422, "invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == names


async def test_a_parameter_that_is_known_is_taken(client: AsyncClient) -> None:
    assert (await client.get("/v1/counters?limit=1")).status_code == 200


@pytest.mark.parametrize("depth", [33, 1000, 10_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
async def test_deep_nesting_is_refused(client: AsyncClient, depth: int, opening: bytes, closing: bytes) -> None:
    answer = await send(client, opening * depth + b"1" + closing * depth)
    assert problem(answer) == (400, "too-deep")


async def test_brackets_in_texts_do_not_count(client: AsyncClient) -> None:
    answer = await send(client, json.dumps({"name": '[{"\\' * 40}).encode())
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'"' + b'\\"' * 900_000 + b"[" * 40,
        b'["' + b"\\" * 1_000_001 + b"[" * 40,
        b'"' * 1_000_001 + b"[" * 40,
        b'"x' * 900_000 + b"[" * 40,
        b"[]" * 900_000,
    ],
    ids=["escaped quotes", "backslashes", "quotes", "texts", "brackets"],
)
def test_no_body_makes_the_count_take_more_than_one_look_at_each_byte(body: bytes) -> None:
    """What is looked at more often than once grows with the square of the body: here for minutes, not milliseconds."""
    with pytest.raises(Rejected):
        parse(body, _LARGE)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
values = st.recursive(
    st.none() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(values)
def test_the_depth_that_is_taken_is_that_of_the_parsed_value(value: object) -> None:
    depth = depth_of(value)
    for body in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse(body.encode(), Limits(10_000, depth, 10_000)) == value
        if depth:
            with pytest.raises(TooDeep):
                parse(body.encode(), Limits(10_000, depth - 1, 10_000))


def containers_in(value: object) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(containers_in, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(containers_in, value))
    return 0


@given(values)
def test_the_containers_that_are_taken_are_those_of_the_parsed_value(value: object) -> None:
    count = containers_in(value)
    body = json.dumps(value).encode()
    assert parse(body, Limits(10_000, 1, count)) == value if depth_of(value) <= 1 else True
    if count > 1:
        with pytest.raises(TooDeep):
            parse(body, Limits(10_000, 1, count - 1))


@given(st.binary())
def test_bytes_are_a_value_or_refused(body: bytes) -> None:
    with suppress(Rejected):
        assert parse(body, _LARGE) == json.loads(body.decode())


@pytest.mark.parametrize(
    ("body", "about"),
    [
        (b'{"a": 1, "a": 1}', '"a"'),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', '"a"'),
        (b'{"a": NaN}', "NaN"),
        (b"-Infinity", "-Infinity"),
    ],
)
def test_what_readers_would_differ_about_is_named(body: bytes, about: str) -> None:
    with pytest.raises(MalformedJson, match=about):
        parse(body, _LARGE)


async def test_a_get_may_bring_a_body_that_nobody_reads(api: Api, client: AsyncClient) -> None:
    answer = await client.request("GET", "/v1/counters", content=b"x" * 100)
    assert answer.status_code == 200


def _request(chunks: list[bytes], headers: Sequence[tuple[bytes, bytes]] = ()) -> Request:
    async def receive() -> Message:
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    return Request({"type": "http", "method": "POST", "headers": [*headers]}, receive)


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b'{"a": "\\u0000"}', ["/a"]),
        (b'{"a": [{"b": "x"}, {"b": "x\\u0000"}]}', ["/a/1/b"]),
        (b'{"\\u0000": 1}', ["/\0"]),
        (b'"\\u0000"', ["/"]),
        (b'{"a": "\\\\u0000"}', []),
        (b'{"a": "u0000"}', []),
        (b'{"\\ud800": "\\u0000"}', ["/?"]),
    ],
)
def test_the_character_nul_is_found_wherever_it_is(body: bytes, pointers: list[str]) -> None:
    try:
        parse(body, _LARGE)
        named: list[str] = []
    except HoldsNul as error:
        named = [field.pointer for field in error.errors]
    assert named == pointers


def test_a_body_full_of_nul_gets_a_short_answer() -> None:
    with pytest.raises(HoldsNul) as refused:
        parse(json.dumps(["\0"] * 10_000).encode(), _LARGE)
    assert len(refused.value.errors) < 100
