"""Whoever brings customers sees those that they brought, little of each, and nobody else's."""

from __future__ import annotations

import random
from uuid import UUID

import asyncpg
import pytest
from httpx2 import AsyncClient

from libs.kit.ids import uuid7
from libs.schema.auth import UserRegistered
from libs.schema.billing import EntitlementsChanged
from services.auth.api.customers import masked
from services.auth.model import PlatformRole
from services.auth.model.referral_code import new_referral_code, referral_code_key
from services.auth.repository import users
from tests.auth.builders import Person, a_person, register
from tests.auth.supporters import a_code, change_role, customers_of, staff_member
from tests.auth.trails import has_recorded
from tests.world import Running, World


@pytest.fixture
async def rita(client: AsyncClient, auth: Running, world: World) -> Person:
    """A reseller."""
    return await staff_member(client, auth, world, name="rita", role=PlatformRole.RESELLER)


async def brought(client: AsyncClient, code: str, email: str = "ada@example.com", **said: object) -> Person:
    """Somebody who registered with a code."""
    answer = await register(client, email=email, referral_code=code, **said)
    assert answer.status_code == 201, answer.text
    return Person(answer.json()["user_id"], answer.json()["workspace_id"], "", "")


async def ids_of(client: AsyncClient, reseller: Person) -> list[object]:
    return [item["id"] for item in await customers_of(client, reseller)]


async def test_a_reseller_sees_whom_they_brought_and_no_more_of_them_than_that_takes(
    client: AsyncClient, world: World, rita: Person
) -> None:
    code = (await a_code(client, rita))["code"]
    ada = await brought(client, code, first_name="Ada", last_name="Lovelace")

    [seen] = await customers_of(client, rita)

    assert seen == {
        "id": ada.user_id, "first_name": "Ada", "last_name": "Lovelace", "email": "a***@example.com",
        "registered_at": seen["registered_at"], "tier": None, "is_active": True,
    }  # fmt: skip
    await world.settled("auth")
    by = {told.event.user_id: told.event.brought_by for told in world.published(UserRegistered)}
    assert by == {UUID(ada.user_id): UUID(rita.user_id), UUID(rita.user_id): None}


async def test_nobody_sees_whom_another_brought_and_pages_show_everybody_once(
    client: AsyncClient, auth: Running, world: World, rita: Person
) -> None:
    sam = await staff_member(client, auth, world, name="sam", role=PlatformRole.SALES)
    codes = {one: [(await a_code(client, one))["code"] for _ in range(2)] for one in (rita, sam)}
    choice, expected = random.Random(7), dict[Person, list[object]]({rita: [], sam: []})
    for number in range(9):
        by = choice.choice([rita, sam, None])
        said = {} if by is None else {"referral_code": choice.choice(codes[by])}
        made = (await register(client, email=f"customer{number}@example.com", **said)).json()
        if by is not None:
            expected[by].insert(0, made["user_id"])

    for one, theirs in expected.items():
        assert await ids_of(client, one) == theirs
        assert await _by_twos(client, one) == theirs
    assert all(len(theirs) > 2 for theirs in expected.values())


async def _by_twos(client: AsyncClient, reseller: Person) -> list[object]:
    seen, wanted = list[object](), {"limit": "2"}
    while "cursor" not in wanted or wanted["cursor"]:
        page = (await client.get("/v1/customers", params=wanted, headers=reseller.bearer)).json()
        seen += [item["id"] for item in page["items"]]
        wanted["cursor"] = page["next_cursor"]
    return seen


async def test_a_former_reseller_sees_nobody_whatever_the_token_says(
    client: AsyncClient, auth: Running, rita: Person
) -> None:
    ada = await brought(client, (await a_code(client, rita))["code"])
    async with auth.db.work() as tx:
        # Without the event that would end the token.
        (await users.lock_user(tx, UUID(rita.user_id))).platform_role = PlatformRole.USER
    former = await ids_of(client, rita)
    await change_role(auth, rita, PlatformRole.RESELLER)

    assert (former, await ids_of(client, rita)) == ([], [ada.user_id])


@pytest.mark.parametrize("how", ["unknown", "revoked", "of a former reseller", "of somebody who is shut out"])
async def test_a_code_that_does_not_work_is_named_and_nobody_registers(
    client: AsyncClient, world: World, auth: Running, rita: Person, how: str
) -> None:
    made = await a_code(client, rita)
    code = new_referral_code() if how == "unknown" else made["code"]
    if how == "revoked":
        await client.delete(f"/v1/referral-codes/{made['id']}", headers=rita.bearer)
    if how == "of a former reseller":
        await change_role(auth, rita, PlatformRole.SUPPORT)
    if how == "of somebody who is shut out":
        await world.fetch('UPDATE auth."user" SET is_active = false')

    answer = await register(client, referral_code=code)

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:fillstream:problem:unknown-referral-code")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/referral_code"]
    assert len(await world.fetch('SELECT FROM auth."user"')) == 1


@pytest.mark.parametrize("code", ["", "x" * 41, "ABC_DEF", "ABC\0DEF", 7, ["ABCDEFGH2345"]])
async def test_what_is_no_code_is_refused_by_its_field(client: AsyncClient, code: object) -> None:
    answer = await register(client, referral_code=code)

    assert answer.status_code == 422, answer.text
    assert {error["pointer"].split("/")[1] for error in answer.json()["errors"]} == {"referral_code"}


async def test_a_code_works_however_it_is_written(client: AsyncClient, rita: Person) -> None:
    code = (await a_code(client, rita))["code"]
    written = f" {code[:4].lower()}-{code[4:8]} {code[8:].lower()}"

    ada = await brought(client, written)

    assert await ids_of(client, rita) == [ada.user_id]


def test_codes_are_random_and_their_own_key() -> None:
    codes = {new_referral_code() for _ in range(2_000)}

    assert len(codes) == 2_000
    assert {referral_code_key(code) for code in codes} == codes
    assert {len(code) for code in codes} == {12}
    assert len({letter for code in codes for letter in code}) == 32


async def test_whoever_came_with_a_code_stays_brought_when_it_is_revoked(client: AsyncClient, rita: Person) -> None:
    made = await a_code(client, rita)
    ada = await brought(client, made["code"])

    answers = [await client.delete(f"/v1/referral-codes/{made['id']}", headers=rita.bearer) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [204, 204]
    assert await ids_of(client, rita) == [ada.user_id]


async def test_resellers_see_and_revoke_their_own_codes_alone(
    client: AsyncClient, auth: Running, world: World, rita: Person
) -> None:
    sam = await staff_member(client, auth, world, name="sam", role=PlatformRole.RESELLER)
    mine, theirs = [await a_code(client, rita) for _ in range(2)], await a_code(client, sam)

    refused = await client.delete(f"/v1/referral-codes/{theirs['id']}", headers=rita.bearer)
    shown = (await client.get("/v1/referral-codes", headers=rita.bearer)).json()["items"]

    assert refused.status_code == 404
    assert [item["id"] for item in shown] == [mine[1]["id"], mine[0]["id"]]
    await brought(client, theirs["code"])


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/referral-codes"), ("GET", "/v1/referral-codes"), ("GET", "/v1/customers")],
)
async def test_whoever_is_nobodys_reseller_has_neither_codes_nor_customers(
    client: AsyncClient, method: str, path: str
) -> None:
    ada = await a_person(client)

    answer = await client.request(method, path, headers=ada.bearer)

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:fillstream:problem:missing-scope")


async def test_making_and_revoking_a_code_is_in_the_trail(client: AsyncClient, auth: Running, rita: Person) -> None:
    made = await a_code(client, rita)
    await client.delete(f"/v1/referral-codes/{made['id']}", headers=rita.bearer)

    links = await has_recorded(auth.db, UUID(rita.workspace_id), 4)

    assert [one.entry.act for one in links[2:]] == ["referral_code.made", "referral_code.revoked"]
    assert {one.entry.target_id for one in links[2:]} == {made["id"]}


async def test_nobody_changes_who_brought_them(client: AsyncClient, auth: Running, world: World, rita: Person) -> None:
    code = (await a_code(client, rita))["code"]
    await brought(client, code)
    bob = await a_person(client, email="bob@example.com")

    for said in ({"brought_by": rita.user_id}, {"referral_code": code}):
        answer = await client.patch("/v1/me", json=said, headers=bob.bearer)
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{next(iter(said))}"]
    for whose in ("brought_by IS NULL", "brought_by IS NOT NULL"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with auth.db.public() as tx:
                await tx.fetch(
                    f'UPDATE auth."user" SET brought_by = $1 WHERE {whose} AND id <> $1',
                    UUID(bob.user_id),
                )

    assert len(await customers_of(client, rita)) == 1


async def test_a_reseller_sees_the_tiers_of_their_customers_and_the_database_shows_them_no_others(
    client: AsyncClient, auth: Running, world: World, rita: Person
) -> None:
    ada = await brought(client, (await a_code(client, rita))["code"])
    bob = await a_person(client, email="bob@example.com")
    for person, plan in ((ada, "Pro"), (bob, "Enterprise")):
        home = UUID(person.workspace_id)
        word = EntitlementsChanged(
            occurred_at=auth.db.clock(), workspace_id=home, plan=plan, max_strategies=1, auto_trading=False
        )
        await world.publish(word, tenant_id=home, subject=home)
    await world.settled("auth")

    async with auth.db.public() as tx:
        unseen = await tx.fetch("SELECT tenant_id FROM auth.tier")
        await users.ask_as(tx, UUID(rita.user_id))
        seen = await tx.fetch("SELECT tenant_id FROM auth.tier")

    assert [item["tier"] for item in await customers_of(client, rita)] == ["Pro"]
    assert (unseen, [row[0] for row in seen]) == ([], [UUID(ada.workspace_id)])


async def test_the_database_shows_a_code_to_its_giver_and_whoever_holds_it_alone(
    client: AsyncClient, auth: Running, rita: Person
) -> None:
    held, other = (await a_code(client, rita))["code"], (await a_code(client, rita))["code"]

    async with auth.db.transaction(uuid7()) as tx:
        unseen = await tx.fetch("SELECT code FROM auth.referral_code")
        await tx.fetch("SELECT set_config('app.referral_code', $1, true)", held)
        seen = await tx.fetch("SELECT code FROM auth.referral_code")

    assert (unseen, [row[0] for row in seen]) == ([], [held])
    assert other != held


@pytest.mark.parametrize(
    ("email", "shown"),
    [("ada@example.com", "a***@example.com"), ("a@b.example", "a***@b.example"), ('"x@y"@z.example', '"***@z.example')],
)
def test_an_address_is_masked(email: str, shown: str) -> None:
    assert masked(email) == shown
