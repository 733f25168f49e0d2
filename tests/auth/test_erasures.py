"""Whoever wants to go may think again for a while; then they are gone, once and for good, and can prove it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import product
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from joserfc import jws
from joserfc.jwk import KeySet

from libs.kit.acts import Origin
from libs.kit.errors import Conflict
from libs.kit.ids import uuid7
from libs.schema.auth import AccessRevoked, MailTemplate, SessionRevoked, UserDeleted
from libs.schema.billing import EntitlementsChanged
from libs.schema.privacy import ErasureCancelled, ErasureRequested, PersonalDataErased, UserErased
from services.auth.api.parts import Parts
from services.auth.certificates import CERTIFICATE_TYPE
from services.auth.commands import erasures, logins
from services.auth.commands.logins import Checked
from services.auth.model import Erasure, ErasureState
from services.auth.model.erasure import TRANSITIONS, ErasureAct
from services.auth.queries import people
from tests.auth.builders import EMAIL, Forger, Person, a_person, bearer, log_in, mails, private_key, register, ticket
from tests.auth.privacy import OTHERS, SELDOM, an_answer, certify, close, come, erase, gone, how, wish
from tests.world import Running, World


@pytest.fixture
async def auth(world: World) -> AsyncIterator[Running]:
    async with world.running("auth", auth_privacy_seconds=SELDOM) as running:
        yield running


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client, first_name="Ada")


@pytest.mark.parametrize(("state", "act"), list(product(ErasureState, ErasureAct)))
def test_what_may_happen_is_in_the_table(state: ErasureState, act: ErasureAct) -> None:
    erasure = Erasure(state=state)
    if (state, act) not in TRANSITIONS:
        with pytest.raises(Conflict):
            erasure._move(act)  # noqa: SLF001
        return
    erasure._move(act)  # noqa: SLF001
    assert erasure.state == TRANSITIONS[state, act]


async def test_a_second_wish_changes_nothing_about_the_first(world: World, client: AsyncClient, ada: Person) -> None:
    first, second = await wish(client, ada), await wish(client, ada)
    assert first == second
    await world.settled("auth")
    [told] = await world.expect(ErasureRequested, 1)
    assert str(told.event.erasure_id) == first["id"]
    await mails(world, MailTemplate.ERASURE_REQUESTED)


async def test_whoever_waits_can_log_in_and_stay(world: World, auth: Running, client: AsyncClient, ada: Person) -> None:
    await wish(client, ada)
    assert await close(auth) == 0
    assert (await log_in(client)).status_code == 200
    assert (await client.delete("/v1/me/erasure", headers=ada.bearer)).status_code == 204
    assert (await client.get("/v1/me/erasure", headers=ada.bearer)).json() == {"erasure": None}
    await come(world)
    assert await close(auth) == 0
    await world.settled("auth")
    await world.expect(ErasureCancelled, 1)
    await mails(world, MailTemplate.ERASURE_CANCELLED)
    assert (await wish(client, ada))["state"] == "WAITING"


async def test_whoever_waited_long_enough_is_shut_out(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    await wish(client, ada)
    await come(world)

    assert await close(auth) == 1

    assert (await log_in(client)).status_code == 401
    assert (await client.delete("/v1/me/erasure", headers=ada.bearer)).status_code == 401
    await world.settled("auth")
    await world.expect(UserDeleted, 1)
    await world.expect(SessionRevoked, 1)
    assert {told.event.session_id for told in world.published(AccessRevoked)} == {UUID(ada.session_id), None}
    await mails(world, MailTemplate.ACCOUNT_CLOSED)
    assert world.published(UserErased) == []
    assert await erase(auth) == 0, "tokens are alive for a while"


async def test_of_staying_and_being_shut_out_at_once_one_happens(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    await wish(client, ada)
    await come(world)

    await asyncio.gather(client.delete("/v1/me/erasure", headers=ada.bearer), close(auth))

    [row] = await world.fetch('SELECT e.state, u.deleted_at FROM auth.erasure e JOIN auth."user" u ON u.id = e.user_id')
    assert (row["state"], row["deleted_at"] is None) in {("CANCELLED", True), ("CLOSED", False)}


async def test_of_two_that_erase_at_once_one_does(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    await wish(client, ada)
    await come(world)
    assert await close(auth) == 1
    await come(world)

    await asyncio.gather(erase(auth), erase(auth), erase(auth))

    await world.settled("auth")
    await world.expect(UserErased, 1)
    await world.expect(PersonalDataErased, 1)


async def test_the_address_of_who_was_erased_is_free(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    await gone(world, auth, client, ada)
    assert (await log_in(client)).status_code == 401
    assert (await register(client)).status_code == 201
    again = (await log_in(client)).json()
    assert again["workspace_id"] != ada.workspace_id


async def test_a_login_under_way_leaves_no_trace_of_who_was_erased(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    parts: Parts = auth.service.http.state.parts
    async with auth.db.public() as tx:
        known = await people.credentials(tx, EMAIL)
    await gone(world, auth, client, ada)

    checked = Checked(EMAIL, Origin("192.0.2.7", "curl"), known, matched=True, renewed_hash=None)
    async with auth.db.work() as tx:
        opened = await logins.settle_try(tx, parts.issuing, parts.lockout, parts.mailing, checked)

    assert opened is None
    for table in ("login", "session"):
        assert await world.fetch(f"SELECT FROM auth.{table} WHERE tenant_id = $1", UUID(ada.workspace_id)) == []


async def test_what_billing_says_late_makes_nothing_anew(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    await gone(world, auth, client, ada)
    home, other = UUID(ada.workspace_id), uuid7()
    for workspace in (home, other):
        said = EntitlementsChanged.model_validate({
            "occurred_at": "2026-01-31T12:00:00Z", "workspace_id": workspace, "plan": "pro", "max_strategies": 10,
            "auto_trading": True,
        })  # fmt: skip
        await world.publish(said, tenant_id=workspace)
    await world.settled("auth")
    assert [row[0] for row in await world.fetch("SELECT tenant_id FROM auth.tier")] == [other]


async def test_the_certificate_is_there_when_all_have_answered(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    erasure_id = await gone(world, auth, client, ada)
    [last] = await mails(world, MailTemplate.ACCOUNT_CLOSED)
    presented = {"token": ticket(last)}
    for name in OTHERS:
        await world.settled("auth")
        assert await certify(auth) == 0
        early = await client.post("/v1/auth/erasure-certificate", json=presented)
        assert early.json() == {"erasure_id": str(erasure_id), "state": "ERASED", "certificate": None}
        answer = an_answer(erasure_id, name)
        # A context that is asked again has nothing left to erase: what it said first counts.
        await world.publish(answer)
        await world.publish(answer.model_copy(update={"erased": ()}))
    await world.settled("auth")

    assert await certify(auth) == 1

    signed = (await client.post("/v1/auth/erasure-certificate", json=presented)).json()["certificate"]
    keys = KeySet.import_key_set((await client.get("/.well-known/jwks.json")).json())
    opened = jws.deserialize_compact(signed, keys, algorithms=["Ed25519"])
    said = json.loads(opened.payload)
    assert opened.headers()["typ"] == CERTIFICATE_TYPE
    assert (said["erasure_id"], said["user_id"]) == (str(erasure_id), ada.user_id)
    told = {one["context"]: (one["erased"], one["kept"]) for one in said["contexts"]}
    assert told.keys() == {"auth", *OTHERS}
    kept = {"table": "deed", "rows": 2, "ground": "a law", "until": "2033-01-31"}
    assert told["billing"] == ([{"table": "wish", "rows": 3}], [kept])
    assert EMAIL not in str(said)


async def test_no_other_token_gives_a_certificate(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    await gone(world, auth, client, ada)
    for token in (f"{ada.workspace_id}.guess", f"{uuid7()}.guess", ""):
        answer = await client.post("/v1/auth/erasure-certificate", json={"token": token})
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (422, "token-spent")


async def _let_in(world: World, workspace_id: str, person: Person) -> None:
    await world.fetch(
        "INSERT INTO auth.membership (tenant_id, user_id, role) VALUES ($1, $2, 'VIEWER')",
        UUID(workspace_id), UUID(person.user_id),
    )  # fmt: skip


async def test_nobody_goes_while_others_are_in_a_workspace_of_theirs(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    bob = await a_person(client, email="bob@example.com")
    await _let_in(world, ada.workspace_id, bob)

    refused = await client.post("/v1/me/erasure", headers=ada.bearer)

    assert (refused.status_code, refused.json()["type"].rpartition(":")[2]) == (409, "workspace-shared")
    # Being in another's workspace keeps nobody.
    assert (await wish(client, bob))["state"] == "WAITING"


async def test_an_erasure_waits_for_others_who_came_later(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    bob = await a_person(client, email="bob@example.com")
    await wish(client, ada)
    await _let_in(world, ada.workspace_id, bob)
    await come(world)

    await close(auth)

    [row] = await world.fetch("SELECT state, next_at > now() AS later FROM auth.erasure")
    assert tuple(row) == ("WAITING", True)
    assert (await log_in(client)).status_code == 200


async def test_a_workspace_that_is_theirs_alone_goes_with_them(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    second = uuid7()
    await world.fetch(
        "INSERT INTO auth.workspace (id, tenant_id, name, owner_id, version) VALUES ($1, $1, 'Second', $2, 0)",
        second, UUID(ada.user_id),
    )  # fmt: skip
    await gone(world, auth, client, ada)
    await world.settled("auth")
    [told] = await world.expect(UserErased, 1)
    assert told.event.workspace_ids == (UUID(ada.workspace_id), second)
    assert await world.fetch("SELECT FROM auth.workspace") == []


async def test_whoever_showed_who_they_are_long_ago_has_to_do_it_again(
    world: World, client: AsyncClient, ada: Person
) -> None:
    token = Forger(ada, await private_key(world)).token(auth_time=1_000_000_000)
    answer = await client.post("/v1/me/erasure", headers=bearer(token))
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (401, "step-up-required")


async def _erase_and_fail(auth: Running, erasure_id: UUID) -> None:
    async with auth.db.work() as tx:
        await erasures.erase(tx, how(auth), erasure_id)
        raise ZeroDivisionError


async def test_a_step_that_fails_is_as_if_it_had_never_begun(
    world: World, auth: Running, client: AsyncClient, ada: Person
) -> None:
    asked = await wish(client, ada)
    await come(world)
    assert await close(auth) == 1
    await come(world)

    with pytest.raises(ZeroDivisionError):
        await _erase_and_fail(auth, UUID(asked["id"]))

    [row] = await world.fetch('SELECT email FROM auth."user"')
    assert row[0] == EMAIL
    assert await erase(auth) == 1
    await world.settled("auth")
    await world.expect(UserErased, 1)
