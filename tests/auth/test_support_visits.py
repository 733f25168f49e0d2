"""Support is in a workspace by a live grant of its owner alone, as what it says, and the trail shows it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.audit import INSTALLATION
from libs.schema.auth import AccessRevoked, MailTemplate, SupportEntered
from services.auth.model import SCOPES_OF_ACCESS, SCOPES_OF_ROLE, PlatformRole, Role, SupportAccess
from services.auth.repository import users
from tests.auth.builders import Forger, Person, a_person, bearer, mails, private_key, verifier
from tests.auth.supporters import a_grant, a_visit, as_role, change_role, enter, let_in, open_to, soon, staff_member
from tests.auth.trails import chain_of, has_recorded
from tests.world import Running, World, eventually


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    """Who owns a workspace."""
    return await a_person(client)


@pytest.fixture
async def helper(client: AsyncClient, auth: Running, world: World) -> Person:
    return await staff_member(client, auth, world)


async def status(client: AsyncClient, token: str) -> int:
    """What a guest hears who asks for something that guests may not: 403, or 401 once the token is over."""
    return (await client.get("/v1/audit", headers=bearer(token))).status_code


async def refused(client: AsyncClient, token: str) -> None:
    """Wait until a token is not taken any more."""

    async def over() -> None:
        assert await status(client, token) == 401

    await eventually(over)


async def test_support_comes_by_a_grant_and_the_token_says_who_in_whose_place_and_what_for(
    client: AsyncClient, ada: Person, helper: Person
) -> None:
    grant = await a_grant(client, ada)
    [shown] = (await client.get("/v1/support/workspaces", headers=helper.bearer)).json()["items"]

    answer = (await enter(client, helper, ada)).json()
    guest = await verifier(client).verify(answer["access_token"])

    assert (shown["grant_id"], shown["workspace_id"], shown["access"]) == (grant, ada.workspace_id, "READ")
    assert (answer["grant_id"], answer["workspace_id"], answer["expires_in"]) == (grant, ada.workspace_id, 600)
    assert "refresh_token" not in answer
    assert (guest.user_id, guest.on_behalf_of) == (UUID(helper.user_id), UUID(ada.user_id))
    assert (guest.tenant_id, guest.session_id) == (UUID(ada.workspace_id), UUID(grant))
    assert (guest.scopes, guest.methods) == (SCOPES_OF_ACCESS[SupportAccess.READ], {"otp", "pwd"})


async def test_an_owner_who_says_so_lets_support_trade(client: AsyncClient, ada: Person, helper: Person) -> None:
    await a_grant(client, ada, access="TRADE")

    guest = await verifier(client).verify(await a_visit(client, helper, ada))

    assert guest.scopes == SCOPES_OF_ACCESS[SupportAccess.TRADE]


@pytest.mark.parametrize("access", SupportAccess)
def test_no_guest_may_do_more_than_an_owner_or_touch_what_is_the_owners_alone(access: SupportAccess) -> None:
    scopes = SCOPES_OF_ACCESS[access]

    assert scopes < SCOPES_OF_ROLE[Role.OWNER]
    assert not {scope for scope in scopes if scope.partition(":")[0] in {"audit", "devices", "support", "members"}}
    assert "billing:write" not in scopes
    assert {scope for scope in SCOPES_OF_ACCESS[SupportAccess.READ] if not scope.endswith(":read")} == set()


async def test_the_owner_sees_in_the_trail_who_came_in_whose_place_by_which_grant(
    client: AsyncClient, world: World, auth: Running, ada: Person, helper: Person
) -> None:
    grant = await a_grant(client, ada)
    await a_visit(client, helper, ada)
    await client.delete(f"/v1/support-grants/{grant}", headers=ada.bearer)
    await has_recorded(auth.db, UUID(ada.workspace_id), 5)

    acts = (await client.get("/v1/audit", params={"target_id": grant}, headers=ada.bearer)).json()["items"]

    told = [(act["act"], act["actor_kind"], act["actor_id"], act["on_behalf_of"]) for act in reversed(acts)]
    assert told == [
        ("support.granted", "USER", ada.user_id, None),
        ("support.entered", "STAFF", helper.user_id, ada.user_id),
        ("support.revoked", "USER", ada.user_id, None),
    ]


async def test_all_that_a_guest_asks_for_is_in_the_trail_whatever_comes_of_it(
    client: AsyncClient, auth: Running, ada: Person, helper: Person
) -> None:
    await a_grant(client, ada)
    guest = bearer(await a_visit(client, helper, ada))

    for path in ("/v1/audit", "/v1/sessions", f"/v1/users/{'%00' * 200}/kyc"):
        assert (await client.get(path, headers=guest)).status_code == 403

    links = await has_recorded(auth.db, UUID(ada.workspace_id), 7)
    assert [(one.entry.act, one.entry.target_id) for one in links[4:]] == [
        ("request.made", "GET /v1/audit"),
        ("request.made", "GET /v1/sessions"),
        ("request.made", f"GET /v1/users/{'%00' * 200}"[:300]),
    ]
    assert {(one.entry.actor_kind, one.entry.actor_id, one.entry.on_behalf_of) for one in links[4:]} == {
        ("STAFF", UUID(helper.user_id), UUID(ada.user_id))
    }


async def test_another_context_tells_what_a_guest_asks_it_for(world: World, auth: Running) -> None:
    here, staff, owner, grant = (uuid7() for _ in range(4))
    async with world.running("billing") as billing:
        token = billing.issuer.token(here, sub=str(staff), sid=str(grant), on_behalf_of=str(owner))
        answer = await (await billing.anonymous()).get("/v1/plans", headers=bearer(token))
        [held] = await has_recorded(auth.db, here, 1)

    assert answer.status_code == 200
    assert (held.entry.source, held.entry.act, held.entry.target_id) == ("billing", "request.made", "GET /v1/plans")
    assert (held.entry.actor_kind, held.entry.actor_id, held.entry.on_behalf_of) == ("STAFF", staff, owner)


async def test_the_owner_is_written_to_once_of_each_who_comes(
    client: AsyncClient, auth: Running, world: World, ada: Person, helper: Person
) -> None:
    other = await staff_member(client, auth, world, name="other")
    await a_grant(client, ada)
    for staff in (helper, helper, other, helper):
        await a_visit(client, staff, ada)

    written = await mails(world, MailTemplate.SUPPORT_ENTERED, 2)

    assert {(mail.user_id, mail.address) for mail in written} == {(UUID(ada.user_id), "ada@example.com")}
    assert {told.event.user_id for told in world.published(SupportEntered)} == {
        UUID(helper.user_id), UUID(other.user_id),
    }  # fmt: skip


async def test_without_a_grant_a_workspace_is_as_if_there_were_none_and_the_try_is_told_to_operators(
    client: AsyncClient, auth: Running, ada: Person, helper: Person
) -> None:
    nowhere = Person(str(uuid7()), str(uuid7()), "", "")

    closed, absent = [await enter(client, helper, owner) for owner in (ada, nowhere)]

    assert (closed.status_code, absent.status_code) == (404, 404)
    assert closed.text.replace(ada.workspace_id, "?") == absent.text.replace(nowhere.workspace_id, "?")
    told = [one.entry for one in await has_recorded(auth.db, INSTALLATION, 2)]
    assert [(one.act, one.result, one.actor_id) for one in told] == [
        ("support.entered", "REFUSED", UUID(helper.user_id))
    ] * 2
    assert {one.target_id for one in told} == {ada.workspace_id, nowhere.workspace_id}


async def test_a_grant_opens_its_own_workspace_and_no_other(client: AsyncClient, ada: Person, helper: Person) -> None:
    bob = await a_person(client, email="bob@example.com")
    of_ada, of_bob = await a_grant(client, ada), await a_grant(client, bob)

    assert (await enter(client, helper, bob, grant_id=of_ada)).status_code == 404
    assert (await enter(client, helper, bob, grant_id=of_bob)).status_code == 200


async def test_a_grant_for_one_is_for_no_other_and_one_for_all_is_for_support_alone(
    client: AsyncClient, auth: Running, world: World, ada: Person, helper: Person
) -> None:
    admin = await staff_member(client, auth, world, name="admin", role=PlatformRole.ADMIN)
    for_all = await a_grant(client, ada)
    assert (await open_to(client, helper), await open_to(client, admin)) == ([for_all], [])
    assert [(await enter(client, one, ada)).status_code for one in (helper, admin)] == [200, 404]

    for_admin = await a_grant(client, ada, staff_id=admin.user_id)

    assert (await open_to(client, helper), await open_to(client, admin)) == ([for_all], [for_admin])
    by_name = [(await enter(client, one, ada, grant_id=for_admin)).status_code for one in (helper, admin)]
    assert by_name == [404, 200]


async def test_whoever_is_not_staff_comes_by_no_grant_whatever_the_token_says(
    client: AsyncClient, world: World, ada: Person
) -> None:
    bob = await as_role(world, await a_person(client, email="bob@example.com"), PlatformRole.SUPPORT)
    await a_grant(client, ada)

    assert (await enter(client, bob, ada)).status_code == 404
    assert await open_to(client, bob) == []


async def test_a_grant_is_over_at_its_end(client: AsyncClient, world: World, ada: Person, helper: Person) -> None:
    grant = await a_grant(client, ada)
    await world.fetch("UPDATE auth.support_grant SET expires_at = now() - interval '1 second'")

    assert (await enter(client, helper, ada, grant_id=grant)).status_code == 404
    assert await open_to(client, helper) == []


async def test_no_token_outlives_its_grant(client: AsyncClient, ada: Person, helper: Person) -> None:
    await a_grant(client, ada, expires_at=soon(seconds=90))

    assert 0 < (await enter(client, helper, ada)).json()["expires_in"] <= 90


async def test_a_token_that_its_grant_outlived_is_refused(client: AsyncClient, world: World, ada: Person) -> None:
    guest = {"sid": str(uuid7()), "on_behalf_of": str(uuid7()), "scope": "audit:read"}
    forger, now = Forger(ada, await private_key(world)), int(datetime.now(UTC).timestamp())

    assert await status(client, forger.token(**guest)) == 200
    assert await status(client, forger.token(**guest, exp=now - 6)) == 401


async def test_a_grant_that_is_taken_back_ends_what_it_opened_and_nothing_else(
    client: AsyncClient, world: World, ada: Person, helper: Person
) -> None:
    first, second = await a_grant(client, ada), await a_grant(client, ada)
    ended = await a_visit(client, helper, ada, grant_id=first)
    kept = await a_visit(client, helper, ada, grant_id=second)
    assert (await status(client, ended), await status(client, kept)) == (403, 403)

    answer = await client.delete(f"/v1/support-grants/{first}", headers=ada.bearer)
    again = await client.delete(f"/v1/support-grants/{first}", headers=ada.bearer)

    assert (answer.status_code, again.status_code) == (204, 204)
    await refused(client, ended)
    assert (await status(client, kept), (await client.get("/v1/me", headers=helper.bearer)).status_code) == (403, 200)
    assert (await enter(client, helper, ada, grant_id=first)).status_code == 404
    assert await open_to(client, helper) == [second]
    (told,) = await world.expect(AccessRevoked, 1)
    assert (told.event.user_id, told.event.session_id) == (UUID(helper.user_id), UUID(first))


async def test_whoever_comes_while_the_grant_is_taken_back_is_out_as_well(
    client: AsyncClient, ada: Person, helper: Person
) -> None:
    grant = await a_grant(client, ada)

    *answers, _ = await asyncio.gather(
        *(enter(client, helper, ada) for _ in range(6)),
        client.delete(f"/v1/support-grants/{grant}", headers=ada.bearer),
    )

    assert {answer.status_code for answer in answers} <= {200, 404}
    for answer in answers:
        if answer.status_code == 200:
            await refused(client, answer.json()["access_token"])


async def test_a_grant_of_somebody_who_owns_the_workspace_no_longer_opens_nothing(
    client: AsyncClient, world: World, auth: Running, ada: Person, helper: Person
) -> None:
    await a_grant(client, ada)
    await world.fetch("UPDATE auth.membership SET role = 'TRADER' WHERE user_id = $1", UUID(ada.user_id))

    assert (await enter(client, helper, ada)).status_code == 404
    last = (await has_recorded(auth.db, UUID(ada.workspace_id), 4))[-1].entry
    assert (last.act, last.result, last.actor_id) == ("support.entered", "REFUSED", UUID(helper.user_id))


async def test_whoever_loses_the_role_is_out_of_every_workspace(
    client: AsyncClient, auth: Running, ada: Person, helper: Person
) -> None:
    await a_grant(client, ada, staff_id=helper.user_id)
    token = await a_visit(client, helper, ada)

    await change_role(auth, helper, PlatformRole.USER)

    assert (await enter(client, helper, ada)).status_code in {401, 404}
    await refused(client, token)


async def test_whoever_had_no_such_role_stays_in(client: AsyncClient, auth: Running, world: World, ada: Person) -> None:
    await change_role(auth, ada, PlatformRole.RESELLER)
    await world.settled("auth")

    assert (await client.get("/v1/me", headers=ada.bearer)).status_code == 200


@pytest.mark.parametrize("method", ["deactivate", "delete"])
async def test_whoever_is_shut_out_is_out_of_every_workspace(
    client: AsyncClient, auth: Running, ada: Person, helper: Person, method: str
) -> None:
    await a_grant(client, ada)
    token = await a_visit(client, helper, ada)

    async with auth.db.work() as tx:
        user = await users.lock_user(tx, UUID(helper.user_id))
        tx.publish(user, *getattr(user, method)(tx.now))

    await refused(client, token)
    assert (await enter(client, helper, ada)).status_code in {401, 404}


async def test_an_old_session_enters_nothing(client: AsyncClient, world: World, ada: Person, helper: Person) -> None:
    await a_grant(client, ada)
    long_ago = int(datetime.now(UTC).timestamp()) - 3600
    stale = await as_role(world, helper, PlatformRole.SUPPORT, auth_time=long_ago)

    answer = await enter(client, stale, ada)

    assert (answer.status_code, answer.json()["type"]) == (401, "urn:fillstream:problem:step-up-required")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/sessions"), ("DELETE", "/v1/sessions"), ("GET", "/v1/profile"), ("POST", "/v1/support-grants")],
)
async def test_a_guest_does_nothing_that_is_personal_or_dangerous_whatever_the_token_allows(
    client: AsyncClient, world: World, ada: Person, helper: Person, method: str, path: str
) -> None:
    at_adas = Person(helper.user_id, ada.workspace_id, "", "")
    everything = " ".join(SCOPES_OF_ROLE[Role.OWNER])
    forged = Forger(at_adas, await private_key(world)).token(scope=everything, on_behalf_of=ada.user_id)

    answer = await client.request(method, path, headers=bearer(forged), json={"reason": "x", "expires_at": soon()})

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:fillstream:problem:person-required")


async def test_only_owners_let_anybody_in(client: AsyncClient, world: World, auth: Running, ada: Person) -> None:
    trader = Forger(ada, await private_key(world)).token(scope=" ".join(SCOPES_OF_ROLE[Role.TRADER]))

    answer = await let_in(client, Person(ada.user_id, ada.workspace_id, trader, ""))

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:fillstream:problem:missing-scope")
    assert len(await chain_of(auth.db, UUID(ada.workspace_id))) <= 2


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": soon(days=8)}, "/expires_at"),
        ({"expires_at": 3600}, "/expires_at"),
        ({"reason": ""}, "/reason"),
        ({"reason": "x" * 501}, "/reason"),
        ({"access": "OWNER"}, "/access"),
        ({"staff_id": str(uuid7())}, "/staff_id"),
        ({"scopes": ["billing:write"]}, "/scopes"),
        ({"granted_by": str(uuid7())}, "/granted_by"),
    ],
)
async def test_a_bad_field_of_a_grant_is_named(
    client: AsyncClient, ada: Person, said: dict[str, object], pointer: str
) -> None:
    answer = await let_in(client, ada, **said)

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_nobody_is_let_in_by_name_who_is_not_staff(client: AsyncClient, ada: Person) -> None:
    bob = await a_person(client, email="bob@example.com")

    assert (await let_in(client, ada, staff_id=bob.user_id)).status_code == 422


async def test_owners_see_their_grants_and_take_back_no_others(
    client: AsyncClient, ada: Person, helper: Person
) -> None:
    bob = await a_person(client, email="bob@example.com")
    first, second = await a_grant(client, ada), await a_grant(client, ada)
    await a_grant(client, bob)
    await a_visit(client, helper, ada, grant_id=first)

    page = (await client.get("/v1/support-grants", params={"limit": "1"}, headers=ada.bearer)).json()
    rest = (await client.get("/v1/support-grants", params={"cursor": page["next_cursor"]}, headers=ada.bearer)).json()

    assert [item["id"] for item in [*page["items"], *rest["items"]]] == [second, first]
    assert [item["used_at"] is None for item in [*page["items"], *rest["items"]]] == [True, False]
    assert (await client.delete(f"/v1/support-grants/{first}", headers=bob.bearer)).status_code == 404
    assert (await enter(client, helper, ada, grant_id=first)).status_code == 200


async def test_the_database_shows_staff_what_is_granted_to_them_and_lets_them_change_none_of_it(
    client: AsyncClient, auth: Running, world: World, ada: Person, helper: Person
) -> None:
    admin = await staff_member(client, auth, world, name="admin", role=PlatformRole.ADMIN)
    for_all, for_admin = await a_grant(client, ada), await a_grant(client, ada, staff_id=admin.user_id)

    async def seen(person: Person | None) -> list[str]:
        async with auth.db.public() as tx:
            if person is not None:
                await users.ask_as(tx, UUID(person.user_id))
            await tx.fetch("UPDATE auth.support_grant SET expires_at = 'infinity'")
            return [str(row[0]) for row in await tx.fetch("SELECT id FROM auth.support_grant")]

    assert [await seen(one) for one in (helper, admin, ada, None)] == [[for_all], [for_admin], [], []]
    assert await world.fetch("SELECT FROM auth.support_grant WHERE expires_at = 'infinity'") == []
