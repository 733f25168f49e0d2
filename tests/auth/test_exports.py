"""An export is complete or not there, opens for its person alone, and after some days for nobody."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.auth import MailTemplate
from libs.schema.privacy import HOLDERS, DataExportRequested
from tests.auth.builders import Forger, Person, a_person, bearer, mails, private_key
from tests.auth.privacy import (
    OTHERS,
    SELDOM,
    a_told_holding,
    ask_contexts,
    ask_for_export,
    expire,
    finish,
    state_of,
)
from tests.world import Running, World


@pytest.fixture
async def auth(world: World) -> AsyncIterator[Running]:
    async with world.running("auth", auth_privacy_seconds=SELDOM) as running:
        yield running


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client, first_name="Ada")


async def asked(world: World, auth: Running, client: AsyncClient, ada: Person) -> DataExportRequested:
    """What every context is asked when she wants all."""
    answer = await ask_for_export(client, ada)
    assert (answer.status_code, answer.json()["state"]) == (202, "COLLECTING")
    assert await ask_contexts(auth) == 1
    [request] = await world.expect(DataExportRequested, 1)
    return request.event


async def ready(world: World, auth: Running, client: AsyncClient, ada: Person) -> UUID:
    request = await asked(world, auth, client, ada)
    for name in OTHERS:
        await world.send(*a_told_holding(world, request, name, b'{"deed": 1}\n'))
    await world.settled("auth")
    assert await finish(auth) == 1
    return request.export_id


async def archive(client: AsyncClient, person: Person, export_id: UUID) -> zipfile.ZipFile:
    answer = await client.get(f"/v1/me/exports/{export_id}/archive", headers=person.bearer)
    assert answer.status_code == 200, answer.text
    return zipfile.ZipFile(io.BytesIO(answer.content))


async def test_parts_may_come_in_any_order_and_more_than_once(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    request = await asked(world, auth, client, ada)
    pieces = [b'{"deed":', b' "one"}\n', b'{"deed": "two"}\n']
    rows = [row for name in OTHERS for row in a_told_holding(world, request, name, *pieces)]
    rows += rows
    random.Random(7).shuffle(rows)
    await world.send(*rows)
    await world.settled("auth")

    assert await finish(auth) == 1

    packed = await archive(client, ada, request.export_id)
    assert {name: packed.read(f"{name}/deed.jsonl") for name in OTHERS} == dict.fromkeys(OTHERS, b"".join(pieces))
    manifest = json.loads(packed.read("manifest.json"))
    assert {name: manifest["tables"][f"{name}/deed"] for name in OTHERS} == dict.fromkeys(OTHERS, 2)
    [person] = packed.read("auth/user.jsonl").splitlines()
    assert json.loads(person)["first_name"] == "Ada"
    await mails(world, MailTemplate.EXPORT_READY)


@pytest.mark.parametrize("missing", ["the answer", "a part"])
async def test_it_is_not_ready_before_all_of_it_is_there(
    world: World, auth: Running, client: AsyncClient, ada: Person, missing: str
) -> None:
    request = await asked(world, auth, client, ada)
    late = a_told_holding(world, request, OTHERS[0], b"{}\n")
    left_out = late.pop(1 if missing == "the answer" else 0)
    for name in OTHERS[1:]:
        await world.send(*a_told_holding(world, request, name, b"{}\n"))
    await world.send(*late)
    await world.settled("auth")
    assert await finish(auth) == 0
    early = await client.get(f"/v1/me/exports/{request.export_id}/archive", headers=ada.bearer)
    assert (early.status_code, early.json()["type"].rpartition(":")[2]) == (409, "export-not-ready")

    await world.send(left_out)
    await world.settled("auth")

    assert await finish(auth) == 1
    assert await state_of(client, ada) == "READY"


async def test_one_is_put_together_at_a_time(auth: Running, client: AsyncClient, ada: Person) -> None:
    first, second = await ask_for_export(client, ada), await ask_for_export(client, ada)
    assert first.json()["id"] == second.json()["id"]
    assert await ask_contexts(auth) == 1


async def test_nobody_else_has_it(world: World, auth: Running, client: AsyncClient, ada: Person) -> None:
    export_id = await ready(world, auth, client, ada)
    bob = await a_person(client, email="bob@example.com")
    for one in (export_id, uuid7()):
        answer = await client.get(f"/v1/me/exports/{one}/archive", headers=bob.bearer)
        assert answer.status_code == 404
    assert (await client.get("/v1/me/exports", headers=bob.bearer)).json()["items"] == []


async def test_after_some_days_nobody_can_open_it(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    export_id = await ready(world, auth, client, ada)
    await world.fetch("UPDATE auth.data_export SET expires_at = now() - interval '1 second'")

    assert await expire(auth) == 1

    answer = await client.get(f"/v1/me/exports/{export_id}/archive", headers=ada.bearer)
    assert answer.status_code == 409
    [row] = await world.fetch("SELECT state, private_key FROM auth.data_export")
    assert tuple(row) == ("EXPIRED", None)
    assert await world.fetch("SELECT FROM auth.data_export_part") == []


async def test_what_comes_for_an_export_that_is_over_is_dropped(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    request = await asked(world, auth, client, ada)
    await world.fetch("UPDATE auth.data_export SET expires_at = now() - interval '1 second'")
    assert await expire(auth) == 1
    unknown = request.model_copy(update={"export_id": uuid7()})

    for one in (request, unknown):
        await world.send(*a_told_holding(world, one, OTHERS[0], b"{}\n"))
    await world.settled("auth")

    assert await world.fetch("SELECT FROM auth.data_export_part") == []
    assert await world.fetch("SELECT FROM auth.dead_letter") == []


async def test_whoever_showed_who_they_are_long_ago_has_to_do_it_again(
    world: World, client: AsyncClient, ada: Person
) -> None:
    token = Forger(ada, await private_key(world)).token(auth_time=1_000_000_000)
    for method, path in (("POST", "/v1/me/exports"), ("GET", f"/v1/me/exports/{uuid7()}/archive")):
        answer = await client.request(method, path, headers=bearer(token))
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (401, "step-up-required")


def test_auth_asks_every_context_that_holds_something() -> None:
    assert sorted(HOLDERS) == sorted({"auth", *OTHERS})
