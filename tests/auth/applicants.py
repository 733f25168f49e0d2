"""Who tells of themselves in tests? People with national identifiers of their own, and staff who decide on them."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from httpx2 import AsyncClient, Response

from services.auth.commands.staff import grant_admin
from services.auth.national_ids import check_digit
from tests.auth.builders import PASSWORD, Person, a_person
from tests.second_factor import asking, log_in_as_staff
from tests.world import Running

PASSPORT = {"kind": "PASSPORT", "reference": "vault:documents/7"}

_numbers = count(1)


def a_pan() -> str:
    """A PAN that no other test has."""
    return f"ABCPK{next(_numbers):04}F"


def an_aadhaar() -> str:
    """An Aadhaar number that no other test has."""
    digits = f"2345678{next(_numbers):04}"
    return f"{digits}{check_digit(digits)}"


async def tell(client: AsyncClient, person: Person, **said: object) -> Response:
    """Change one's profile."""
    return await client.patch("/v1/profile", json=said, headers=person.bearer)


async def profile_of(client: AsyncClient, person: Person) -> dict[str, object]:
    """What a person sees of their profile."""
    answer = await client.get("/v1/profile", headers=person.bearer)
    assert answer.status_code == 200, answer.text
    shown: dict[str, object] = answer.json()
    return shown


async def hand_in(client: AsyncClient, person: Person) -> Response:
    """Submit a passport."""
    return await client.post("/v1/kyc/submission", json={"documents": [PASSPORT]}, headers=person.bearer)


async def kyc_of(client: AsyncClient, person: Person) -> dict[str, object]:
    """What a person sees of their KYC."""
    shown: dict[str, object] = (await client.get("/v1/kyc", headers=person.bearer)).json()
    return shown


async def decide(client: AsyncClient, staff: Person, about: Person, **said: object) -> Response:
    """Let staff decide; they verify the first submission unless told otherwise."""
    body = {"submission": 1, "decision": "VERIFIED"} | said
    return await client.post(f"/v1/users/{about.user_id}/kyc/decision", json=body, headers=staff.bearer)


async def staff(client: AsyncClient, auth: Running) -> Person:
    """Somebody of the installation's staff."""
    email = "staff@example.com"
    person = await a_person(client, email=email)
    async with auth.db.work() as tx:
        await grant_admin(tx, email)
    tokens = await log_in_as_staff(asking(client), email, PASSWORD)
    return replace(
        person,
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        session_id=tokens["session_id"],
    )
