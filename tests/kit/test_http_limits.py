"""How much does a request may bring? No more than is allowed, however it is sent and whatever it looks like."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from libs.kit.http.limits import BodyLimits, json_depth
from libs.kit.http.strict_json import ambiguity, nul_pointers
from tests.kit.api import Api
from tests.kit.test_http_problems import problem, send

TEN_MEGABYTES = 10_000_000


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


async def test_a_large_body_is_refused_before_the_token_is_looked_at(anonymous: AsyncClient) -> None:
    assert problem(await send(anonymous, b"x" * TEN_MEGABYTES)) == (413, "too-large")


@pytest.mark.parametrize("length", ["99999999999", "-1", "abc", "²"])
async def test_an_announced_length_is_believed_only_against_the_client(length: str) -> None:
    status = await _status_of(BodyLimits(_echo, 1000, 10), [(b"content-length", length.encode("latin-1"))], [b"{}"])
    assert status == (413 if length == "99999999999" else 200)


async def test_the_largest_body_is_taken_and_one_byte_more_is_not() -> None:
    limited = BodyLimits(_echo, 1000, 10)
    assert await _status_of(limited, [], [b"x" * 600, b"x" * 400]) == 200
    assert await _status_of(limited, [], [b"x" * 600, b"x" * 401]) == 413


async def test_a_client_that_leaves_in_the_middle_is_not_served() -> None:
    called = False

    async def app(*_arguments: object) -> None:
        nonlocal called
        called = True

    messages: list[Message] = [
        {"type": "http.request", "body": b'{"name": "x"}', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def nothing(_message: Message) -> None:
        raise AssertionError("nobody is there to answer")

    await BodyLimits(app, 1000, 10)({"type": "http", "method": "POST", "headers": []}, receive, nothing)
    assert not called


@pytest.mark.parametrize("depth", [33, 1000, 500_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
async def test_deep_nesting_is_refused(client: AsyncClient, depth: int, opening: bytes, closing: bytes) -> None:
    body = opening * (depth // len(opening)) + b"1" + closing * (depth // len(opening))
    answer = await send(client, body if depth > 100 else opening * 33 + b"1" + closing * 33)
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
def test_no_body_makes_the_depth_take_long(body: bytes) -> None:
    started = time.process_time()
    json_depth(body)
    assert time.process_time() - started < 2.0


values = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(values)
def test_the_depth_is_that_of_the_parsed_value(value: object) -> None:
    assert json_depth(json.dumps(value).encode()) == depth_of(value)
    assert json_depth(json.dumps(value, ensure_ascii=False).encode()) == depth_of(value)


@given(values)
def test_what_a_writer_of_json_writes_is_clear(value: object) -> None:
    assert ambiguity(json.dumps(value).encode()) is None


@given(st.binary())
def test_no_bytes_make_the_check_fail(body: bytes) -> None:
    assert ambiguity(body) is None or b"" in body


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
    assert about in (ambiguity(body) or "")


async def test_a_get_may_bring_a_body_that_nobody_reads(api: Api, client: AsyncClient) -> None:
    answer = await client.request("GET", "/v1/counters", content=b"x" * 100)
    assert answer.status_code == 200


async def _echo(scope: object, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]


async def _status_of(app: BodyLimits, headers: list[tuple[bytes, bytes]], chunks: list[bytes]) -> int:
    statuses: list[int] = []

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def note(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await app({"type": "http", "method": "POST", "headers": headers}, receive, note)
    return statuses[0]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b'{"a": "\\u0000"}', ["/a"]),
        (b'{"a": [{"b": "x"}, {"b": "x\\u0000"}]}', ["/a/1/b"]),
        (b'{"\\u0000": 1}', ["/\0"]),
        (b'"\\u0000"', ["/"]),
        (b'{"a": "\\\\u0000"}', []),
        (b'{"a": "u0000"}', []),
        (b'{"a": "\\u0000"', []),
        (b'{"\\ud800": "\\u0000"}', ["/?"]),
    ],
)
def test_the_character_nul_is_found_wherever_it_is(body: bytes, pointers: list[str]) -> None:
    assert nul_pointers(body) == pointers


def test_a_body_full_of_nul_gets_a_short_answer() -> None:
    assert len(nul_pointers(json.dumps(["\0"] * 10_000).encode())) < 100
