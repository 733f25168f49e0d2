"""How often does a repeated request have its effect? Once, and everybody gets the same answer."""

from __future__ import annotations

import asyncio
from uuid import UUID

from httpx2 import AsyncClient, Response

from libs.kit.ids import uuid7
from tests.kit.api import Api
from tests.kit.test_http_problems import problem


async def post(client: AsyncClient, key: str, name: str = "clicks", **more: object) -> Response:
    return await client.post("/v1/counters", json={"name": name, **more}, headers={"Idempotency-Key": key})


async def value(api: Api, tenant: UUID) -> int:
    rows = await api.fetch("SELECT coalesce(sum(value), 0) FROM probe.counter WHERE tenant_id = $1", tenant)
    return int(rows[0][0])


async def keys(api: Api, tenant: UUID) -> int:
    return int((await api.fetch("SELECT count(*) FROM probe.idempotency_key WHERE tenant_id = $1", tenant))[0][0])


async def test_a_repeated_request_has_one_effect_and_the_same_answer(
    api: Api, client: AsyncClient, tenant: UUID
) -> None:
    first, second = await post(client, "k"), await post(client, "k")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert ("idempotency-replayed" in first.headers, second.headers["idempotency-replayed"]) == (False, "true")
    assert await value(api, tenant) == 1


async def test_fifty_at_once_have_one_effect(api: Api, client: AsyncClient, tenant: UUID) -> None:
    answers = await asyncio.gather(*(post(client, "k") for _ in range(50)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert await value(api, tenant) == 1
    events = await api.fetch("SELECT count(*) FROM probe.outbox WHERE tenant_id = $1", tenant)
    assert events[0][0] == 1


async def test_the_same_key_with_another_body_is_refused(api: Api, client: AsyncClient, tenant: UUID) -> None:
    await post(client, "k")
    answer = await post(client, "k", name="other")

    assert problem(answer) == (422, "idempotency-key-reused")
    assert answer.json()["errors"][0]["pointer"] == "Idempotency-Key"
    assert await value(api, tenant) == 1


async def test_the_same_key_with_another_query_is_refused(client: AsyncClient) -> None:
    await post(client, "k")
    answer = await client.post("/v1/counters?source=clicks", json={"name": "clicks"}, headers={"Idempotency-Key": "k"})
    assert problem(answer) == (422, "idempotency-key-reused")


async def test_other_keys_have_effects_of_their_own(api: Api, client: AsyncClient, tenant: UUID) -> None:
    for key in ("a", "b", "c"):
        await post(client, key)
    assert await value(api, tenant) == 3


async def test_the_same_key_of_another_workspace_is_another_key(api: Api, client: AsyncClient, tenant: UUID) -> None:
    other = uuid7()
    await post(client, "k")
    async with api.client(api.issuer.token(other)) as theirs:
        answer = await post(theirs, "k")

    assert "idempotency-replayed" not in answer.headers
    assert (await value(api, tenant), await value(api, other)) == (1, 1)


async def test_a_request_that_was_refused_leaves_no_trace_and_may_be_tried_again(
    api: Api, client: AsyncClient, tenant: UUID
) -> None:
    assert problem(await post(client, "k", fail=True))[0] == 409
    assert (await value(api, tenant), await keys(api, tenant)) == (0, 0)

    assert (await post(client, "k")).status_code == 201
    assert await value(api, tenant) == 1


async def test_without_a_key_every_request_has_its_effect(api: Api, client: AsyncClient, tenant: UUID) -> None:
    for _ in range(2):
        await client.post("/v1/counters", json={"name": "clicks"})
    assert (await value(api, tenant), await keys(api, tenant)) == (2, 0)


async def test_a_key_that_is_too_long_or_empty_is_refused(client: AsyncClient) -> None:
    for key in ("x" * 201, ""):
        answer = await post(client, key)
        assert problem(answer)[0] == 422
        assert answer.json()["errors"][0]["pointer"].lower() == "idempotency-key"
    assert (await post(client, "x" * 200)).status_code == 201
