"""What staff find: by the beginning of an address or a name, by id, role and state, page by page, and not too much of it."""

from __future__ import annotations

from uuid import UUID

from httpx2 import AsyncClient

from services.auth.model import AccountState, PlatformRole
from tests.auth.builders import Person, a_person
from tests.auth.colleagues import staff
from tests.world import Running, World


async def found(client: AsyncClient, by: Person, **query: object) -> list[str]:
    """The addresses on the first page."""
    answer = await client.get(
        "/v1/users", params={name: str(value) for name, value in query.items()}, headers=by.bearer
    )
    assert answer.status_code == 200, answer.text
    return [item["email"] for item in answer.json()["items"]]


async def test_people_are_found_by_what_they_say_of_themselves(client: AsyncClient, auth: Running) -> None:
    seller = await staff(client, auth, PlatformRole.SALES, name="seller")
    ada = await a_person(client, email="Ada.Lovelace@example.com")
    await a_person(client, email="adam@example.com")
    await a_person(client, email="a_b%@example.com")
    await client.patch("/v1/me", json={"username": "First.Programmer"}, headers=ada.bearer)
    lovelace = ["Ada.Lovelace@example.com"]

    assert await found(client, seller, q="ADA.") == lovelace
    assert await found(client, seller, q="ada") == ["adam@example.com", *lovelace]
    assert await found(client, seller, q="firstpro") == lovelace
    assert await found(client, seller, q="F1RST.PROGRAMMER") == lovelace, "as whoever reads it aloud may write it"
    assert await found(client, seller, q=ada.user_id) == lovelace
    assert await found(client, seller, q=ada.user_id[:-1]) == []
    assert await found(client, seller, q="lovelace") == [], "the beginning alone"
    assert await found(client, seller, q="a_b%") == ["a_b%@example.com"], "no sign means any other"
    assert await found(client, seller, q="%") == []
    assert await found(client, seller, q="-") == []


async def test_a_list_is_read_page_by_page_and_nobody_is_left_out(client: AsyncClient, auth: Running) -> None:
    seller = await staff(client, auth, PlatformRole.SALES, name="seller")
    for number in range(5):
        await a_person(client, email=f"p{number}@example.com")

    seen, cursor = list[str](), dict[str, str]()
    while True:
        answer = await client.get("/v1/users", params={"limit": 2, **cursor}, headers=seller.bearer)
        seen += [item["email"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            break
        cursor = {"cursor": answer.json()["next_cursor"]}

    assert seen == [*(f"p{number}@example.com" for number in reversed(range(5))), "seller@example.com"]


async def test_roles_and_states_narrow_a_list_as_an_account_says_them(
    client: AsyncClient, auth: Running, world: World
) -> None:
    seller = await staff(client, auth, PlatformRole.SALES, name="seller")
    changes = {
        "locked": "locked_until = now() + interval '1 hour'",
        "once-locked": "locked_until = now() - interval '1 hour', lock_reason = 'SUPPORT'",
        "off": "is_active = false, locked_until = now() + interval '1 hour'",
        "gone": "is_active = false, deleted_at = now()",
        "gone-only": "deleted_at = now(), locked_until = now() + interval '1 hour'",
    }
    for name, change in changes.items():
        person = await a_person(client, email=f"{name}@example.com")
        await world.fetch(f'UPDATE auth."user" SET {change} WHERE id = $1', UUID(person.user_id))

    everybody = (await client.get("/v1/users", headers=seller.bearer)).json()["items"]

    for state in AccountState:
        expected = [one["email"] for one in everybody if one["state"] == state]
        assert await found(client, seller, state=state) == expected != []
    assert await found(client, seller, role="SALES") == ["seller@example.com"]
    assert await found(client, seller, role="SALES", state="LOCKED") == []
    assert {one["email"]: one["state"] for one in everybody} == {
        "seller@example.com": "ACTIVE", "locked@example.com": "LOCKED", "once-locked@example.com": "ACTIVE",
        "off@example.com": "DEACTIVATED", "gone@example.com": "DELETED", "gone-only@example.com": "DELETED",
    }  # fmt: skip


async def test_staff_see_an_address_whole_and_of_a_phone_the_last_digits(client: AsyncClient, auth: Running) -> None:
    seller = await staff(client, auth, PlatformRole.SALES, name="seller")
    ada = await a_person(client, first_name="Ada")
    answer = await client.patch("/v1/me", json={"phone_number": "+442079460123"}, headers=ada.bearer)
    assert answer.status_code == 200, answer.text

    answer = await client.get(f"/v1/users/{ada.user_id}", headers=seller.bearer)

    shown = answer.json()
    assert (shown.pop("created_at"), shown.pop("last_login_at")) > ("2026", "2026")
    assert shown == {
        "user_id": ada.user_id, "workspace_id": ada.workspace_id, "email": "ada@example.com", "email_verified": True,
        "username": None, "first_name": "Ada", "last_name": None, "phone_number": "*********0123",
        "platform_role": "USER", "state": "ACTIVE", "locked_until": None, "lock_reason": None,
    }  # fmt: skip


async def test_what_makes_no_sense_is_refused_with_its_name(client: AsyncClient, auth: Running) -> None:
    seller = await staff(client, auth, PlatformRole.SALES, name="seller")
    nonsense = {"q": "", "role": "KING", "state": "ASLEEP", "cursor": "x", "limit": "0"}

    answers = {
        name: await client.get("/v1/users", params={name: value}, headers=seller.bearer)
        for name, value in nonsense.items()
    }

    assert {answer.status_code for answer in answers.values()} == {422}
    assert all(name in answer.json()["errors"][0]["pointer"] for name, answer in answers.items())
