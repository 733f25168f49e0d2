"""What does a bad request meet? A problem of RFC 9457 that says what is wrong, and never a 500."""

from __future__ import annotations

import json

import pytest
from httpx2 import AsyncClient, Response

from libs.kit.crypto.key_encryption import KeyServiceAway
from libs.kit.http.problems import unexpected
from tests.kit.api import REJECTIONS, Api


def problem(answer: Response) -> tuple[int, str]:
    """Status and slug of an answer that has all that a problem has to have."""
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == answer.status_code
    assert body["type"].startswith("urn:fillstream:problem:")
    assert "x-correlation-id" in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    return answer.status_code, body["type"].rpartition(":")[2]


@pytest.mark.parametrize(
    ("kind", "status", "slug"),
    [
        ("invalid", 422, "invalid"),
        ("unauthenticated", 401, "unauthenticated"),
        ("forbidden", 403, "too-many-strategies"),
        ("not-found", 404, "not-found"),
        ("conflict", 409, "conflict"),
        ("too-large", 413, "too-large"),
        ("rate-limited", 429, "rate-limited"),
        ("keys-unavailable", 503, "keys-unavailable"),
        ("rejected", 400, "rejected"),
    ],
)
async def test_every_kind_of_rejection_is_a_problem(anonymous: AsyncClient, kind: str, status: int, slug: str) -> None:
    answer = await anonymous.get(f"/v1/rejections/{kind}")

    assert problem(answer) == (status, slug)
    assert answer.json()["detail"] == REJECTIONS[kind].detail


async def test_a_rejection_names_its_field(anonymous: AsyncClient) -> None:
    answer = await anonymous.get("/v1/rejections/invalid")
    assert answer.json()["errors"] == [{"pointer": "/name", "message": "is odd"}]


async def test_headers_that_some_problems_need_are_there(anonymous: AsyncClient) -> None:
    assert (await anonymous.get("/v1/rejections/unauthenticated")).headers["www-authenticate"] == "Bearer"
    assert (await anonymous.get("/v1/rejections/keys-unavailable")).headers["retry-after"] == "1"
    assert (await anonymous.get("/v1/rejections/rate-limited")).headers["retry-after"] == "7"


async def test_an_unknown_path_is_not_found(anonymous: AsyncClient) -> None:
    assert problem(await anonymous.get("/v1/nothing")) == (404, "not-found")


async def test_a_wrong_method_is_refused_and_the_right_ones_are_named(anonymous: AsyncClient) -> None:
    answer = await anonymous.put("/v1/crash")
    assert problem(answer) == (405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]


async def test_a_wrong_method_is_told_all_methods_of_the_path(anonymous: AsyncClient) -> None:
    answer = await anonymous.put("/v1/counters")
    assert problem(answer) == (405, "method-not-allowed")
    assert answer.headers["allow"].split(", ") == ["GET", "POST"]


async def test_no_token_is_unauthenticated(anonymous: AsyncClient) -> None:
    assert problem(await anonymous.get("/v1/counters")) == (401, "unauthenticated")
    assert problem(await anonymous.get("/v1/counters", headers={"Authorization": "Basic eDp5"}))[0] == 401


async def send(client: AsyncClient, body: bytes, content_type: str = "application/json") -> Response:
    return await client.post("/v1/counters", content=body, headers={"Content-Type": content_type})


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b"{",
        b'{"name": "x"',
        b'{"name": "x"}}',
        b"{'name': 'x'}",
        b'{"name": "x", "weight": ' + b"1" * 5000 + b"}",
        b'{"name": "\xff\xfe"}',
        b"\x00",
        b'{"name": "x", "price": NaN}',
        b'{"name": "x", "price": Infinity}',
        b'{"name": "x", "weight": -Infinity}',
        b"[" * 31 + b"{" * 2,
    ],
)
async def test_a_body_that_is_not_json_is_malformed(client: AsyncClient, body: bytes) -> None:
    answer = await send(client, body)
    assert answer.status_code == 400, answer.text
    problem(answer)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b"", "/"),
        (b"null", "/"),
        (b"[]", "/"),
        (b'"x"', "/"),
        (b"{}", "/name"),
        (b'{"name": 7}', "/name"),
        (b'{"name": ""}', "/name"),
        (b'{"name": null}', "/name"),
        (b'{"name": "\\ud800"}', "/name"),
        (b'{"name": "x", "colour": "red"}', "/colour"),
        (b'{"name": "x", "price": 1.5}', "/price"),
        (b'{"name": "x", "price": "NaN"}', "/price"),
        (b'{"name": "x", "price": "1e400"}', "/price"),
        (b'{"name": "x", "price": "1e-400"}', "/price"),
        (b'{"name": "x", "price": "-1"}', "/price"),
        (b'{"name": "x", "price": "' + b"9" * 30 + b'"}', "/price"),
        (b'{"name": "x", "at": "2011-03-01T00:00:00"}', "/at"),
        (b'{"name": "x", "at": "0001-01-01T00:00:00+14:00"}', "/at"),
        (b'{"name": "x", "at": "9999-12-31T23:59:59-14:00"}', "/at"),
        (b'{"name": "x", "at": 1e300}', "/at"),
        (b'{"name": "x", "at": 0}', "/at"),
        (b'{"name": "x", "at": "0.5"}', "/at"),
        (b'{"name": "x", "at": "1298937600"}', "/at"),
    ],
)
async def test_a_field_that_makes_no_sense_is_named(client: AsyncClient, body: bytes, pointer: str) -> None:
    answer = await send(client, body)
    assert problem(answer)[0] == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("name", ["a\0b", "\0"])
async def test_a_text_that_cannot_be_kept_is_refused_by_the_name_of_its_field(client: AsyncClient, name: str) -> None:
    answer = await send(client, json.dumps({"name": name}).encode())
    assert problem(answer) == (422, "invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/name"]


@pytest.mark.parametrize("field", ["\ud800", "a\0b", "x" * 10_000, "", "/~1"])
async def test_an_unknown_field_of_any_name_is_refused(client: AsyncClient, field: str) -> None:
    answer = await send(client, json.dumps({"name": "x", field: 1}).encode())
    assert problem(answer)[0] == 422, answer.text


async def test_a_key_that_is_there_twice_is_refused(client: AsyncClient) -> None:
    answer = await send(client, b'{"name": "x", "name": "y"}')
    assert problem(answer) == (400, "malformed-json")
    assert '"name"' in answer.json()["detail"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "multipart/form-data", "nonsense", 'a/b; c="']
)
async def test_another_content_type_is_refused(client: AsyncClient, content_type: str) -> None:
    answer = await send(client, b'{"name": "x"}', content_type)
    assert problem(answer)[0] in (415, 422), answer.text


async def test_a_moment_in_the_query_is_checked_too(anonymous: AsyncClient) -> None:
    for at in ("yesterday", "0001-01-01T00:00:00+14:00", "2011-03-01T00:00:00", "0.5", "1298937600"):
        answer = await anonymous.get("/v1/moments", params={"at": at})
        assert problem(answer) == (422, "invalid")
        assert answer.json()["errors"][0]["pointer"] == "at"


async def test_a_problem_does_not_repeat_what_was_sent(client: AsyncClient) -> None:
    answer = await send(client, b'{"name": "x", "price": "hunter2"}')
    assert "hunter2" not in answer.text


async def test_an_error_of_ours_tells_nothing_and_can_be_found_by_its_id(anonymous: AsyncClient) -> None:
    correlation = "0190a7d4-8c5e-7cc1-9b4c-1f6c4ee5c1aa"
    answer = await anonymous.get("/v1/crash", headers={"X-Correlation-Id": correlation})

    assert problem(answer) == (500, "internal")
    assert answer.headers["x-correlation-id"] == correlation
    assert "secret" not in answer.text
    assert "SELECT" not in answer.text


async def test_every_path_of_the_document_tells_of_problems(api: Api) -> None:
    document = api.http.openapi()
    for path in document["paths"].values():
        for operation in path.values():
            assert {"400", "401", "403", "404", "409", "413", "422", "503"} <= set(operation["responses"])


def test_a_key_service_that_is_away_is_an_outage_and_none_of_its_words_are_told() -> None:
    answer = unexpected("auth", KeyServiceAway("Vault answers 503 to hunter2"))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "hunter2" not in bytes(answer.body).decode()
    assert "guards our keys" in bytes(answer.body).decode()
