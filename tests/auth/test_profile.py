"""A person tells of themselves: they see it again, others hear what concerns them, and nobody reads the rest."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest
from httpx2 import AsyncClient

from libs.schema.auth import RiskSettingsChanged, RiskTolerance
from tests.auth.applicants import PASSPORT, a_pan, an_aadhaar, decide, hand_in, profile_of, tell
from tests.auth.builders import Forger, Person, a_person, bearer, private_key
from tests.auth.colleagues import staff
from tests.interfaces.leaks import Secret, leaks
from tests.interfaces.rows import every_row
from tests.world import Running, World

ALL = {
    "zip_code": "560001", "dependents": 2, "annual_income": {"amount": "75000.00", "currency": "INR"},
    "risk_tolerance": "HIGH", "max_daily_loss": {"amount": "2500.50", "currency": "INR"},
    "preferred_brokers": ["Zerodha", "Upstox"], "trading_preferences": {"theme": "dark", "lots": {"AAPL": 10}},
}  # fmt: skip


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


async def test_who_has_said_nothing_has_a_profile_of_what_holds_meanwhile(client: AsyncClient, ada: Person) -> None:
    assert await profile_of(client, ada) == {
        "user_id": ada.user_id, "pan_number": None, "aadhaar_number": None, "zip_code": None, "dependents": None,
        "annual_income": None, "risk_tolerance": "MEDIUM", "max_daily_loss": {"amount": "10000.00", "currency": "USD"},
        "preferred_brokers": [], "trading_preferences": {}, "kyc_verified": False,
    }  # fmt: skip


async def test_what_a_person_says_they_see_again_with_the_identifiers_masked(client: AsyncClient, ada: Person) -> None:
    answer = await tell(client, ada, **ALL, pan_number="abcpk1234f", aadhaar_number="2345 6789 0124")

    assert answer.status_code == 200, answer.text
    assert answer.json() == await profile_of(client, ada)
    assert answer.json() == ALL | {
        "user_id": ada.user_id, "pan_number": "XXXXXX234F", "aadhaar_number": "XXXXXXXX0124", "kyc_verified": False,
    }  # fmt: skip


async def test_what_is_left_out_stays_and_null_takes_back(client: AsyncClient, ada: Person) -> None:
    await tell(client, ada, **ALL, pan_number=a_pan())

    answer = await tell(
        client, ada, dependents=None, pan_number=None, risk_tolerance=None, trading_preferences={"theme": None}
    )

    assert answer.json() == ALL | {
        "user_id": ada.user_id, "dependents": None, "pan_number": None, "aadhaar_number": None,
        "risk_tolerance": "MEDIUM", "trading_preferences": {"lots": {"AAPL": 10}}, "kyc_verified": False,
    }  # fmt: skip


async def test_others_hear_what_a_person_risks_and_only_when_it_changes(
    client: AsyncClient, world: World, ada: Person
) -> None:
    await tell(client, ada, zip_code="560001", risk_tolerance="MEDIUM")
    await tell(client, ada, risk_tolerance="LOW", max_daily_loss={"amount": "250.5", "currency": "INR"})
    await tell(client, ada, risk_tolerance="LOW", max_daily_loss={"amount": "250.50", "currency": "INR"})
    await tell(client, ada, max_daily_loss=None)
    await world.settled("auth")

    first, second = await world.expect(RiskSettingsChanged, 2)

    assert first.event == RiskSettingsChanged(
        occurred_at=first.event.occurred_at, user_id=UUID(ada.user_id), workspace_id=UUID(ada.workspace_id),
        risk_tolerance=RiskTolerance.LOW, max_daily_loss=Decimal("250.5"), currency="INR",
    )  # fmt: skip
    assert (first.tenant_id, first.sequence, second.sequence) == (UUID(ada.workspace_id), 1, 2)
    assert (second.event.risk_tolerance, second.event.max_daily_loss, second.event.currency) == (
        "LOW", Decimal(10_000), "USD",
    )  # fmt: skip


async def test_changes_at_once_lose_nothing_also_when_they_are_the_first(client: AsyncClient, ada: Person) -> None:
    answers = await asyncio.gather(*(tell(client, ada, **{name: value}) for name, value in ALL.items()))

    assert {answer.status_code for answer in answers} == {200}
    shown = await profile_of(client, ada)
    assert {name: shown[name] for name in ALL} == ALL


async def test_of_many_preferences_set_at_once_none_is_lost(client: AsyncClient, ada: Person) -> None:
    await asyncio.gather(*(tell(client, ada, trading_preferences={f"p{n}": n}) for n in range(20)))

    assert (await profile_of(client, ada))["trading_preferences"] == {f"p{n}": n for n in range(20)}


async def test_a_national_identifier_is_in_no_answer_event_or_log_and_not_readable_in_the_database(
    auth: Running, client: AsyncClient, world: World, ada: Person, capfd: pytest.CaptureFixture[str]
) -> None:
    pan, aadhaar, near = a_pan(), an_aadhaar(), "234567890123"
    secrets = [Secret.of("PAN", pan), Secret.of("Aadhaar", aadhaar), Secret.of("a wrong Aadhaar", near)]
    helper = await staff(client, auth)

    answers = [
        await tell(client, ada, pan_number=pan, aadhaar_number=aadhaar),
        await tell(client, ada, aadhaar_number=near),
        await client.get("/v1/profile", headers=ada.bearer),
        await hand_in(client, ada),
        await client.get(f"/v1/users/{ada.user_id}/kyc", headers=helper.bearer),
        await decide(client, helper, ada),
        await client.get("/v1/me", headers=ada.bearer),
    ]

    assert [answer.status_code for answer in answers] == [200, 422, 200, 201, 200, 200, 200]
    await world.settled("auth")
    admin = await asyncpg.connect(world.settings.database_url.get_secret_value())
    rows = await every_row(admin)
    await admin.close()
    said = {f"answer {n}": f"{dict(answer.headers)} {answer.text}" for n, answer in enumerate(answers)}
    told = {"the events": repr(world.published(object)), "the log": "".join(capfd.readouterr())}  # type: ignore[type-var]
    kept = {table: "\n".join(lines) for table, lines in rows.items()}
    assert len(rows['"auth"."profile"']) == 1
    assert leaks(secrets, {source: text.encode() for source, text in {**said, **told, **kept}.items()}) == []


async def test_what_is_personal_is_sealed_and_what_is_sealed_opens_where_it_was_put_alone(
    client: AsyncClient, world: World, ada: Person
) -> None:
    bob = await a_person(client, email="bob@example.com")
    await tell(client, ada, **ALL, pan_number=a_pan())
    await tell(client, bob, **ALL, pan_number=a_pan())
    columns = ("pan_number", "zip_code", "dependents", "annual_income")
    [row] = await world.fetch(f"SELECT {', '.join(columns)} FROM auth.profile WHERE user_id = $1", UUID(ada.user_id))
    assert not [name for name in columns if b"560001" in row[name] or b"75000" in row[name] or len(row[name]) < 40]

    await world.fetch("UPDATE auth.profile SET zip_code = $1 WHERE user_id = $2", row["zip_code"], UUID(bob.user_id))

    assert (await client.get("/v1/profile", headers=bob.bearer)).status_code == 500
    assert (await client.get("/v1/profile", headers=ada.bearer)).status_code == 200
    await world.fetch("UPDATE auth.profile SET zip_code = pan_number")
    assert (await client.get("/v1/profile", headers=ada.bearer)).status_code == 500


async def test_a_person_sees_their_own_profile_whatever_workspace_their_token_is_for(
    client: AsyncClient, world: World, ada: Person
) -> None:
    bob = await a_person(client, email="bob@example.com")
    await tell(client, ada, zip_code="11111")
    await tell(client, bob, zip_code="22222")

    visiting = bearer(Forger(bob, await private_key(world)).token(tid=ada.workspace_id))

    assert (await client.get("/v1/profile", headers=visiting)).json()["zip_code"] == "22222"
    await client.patch("/v1/profile", json={"zip_code": "33333"}, headers=visiting)
    assert (await profile_of(client, ada))["zip_code"] == "11111"
    assert (await profile_of(client, bob))["zip_code"] == "33333"


async def test_who_is_gone_has_no_profile_any_more(client: AsyncClient, world: World, ada: Person) -> None:
    await world.fetch('UPDATE auth."user" SET is_active = false')

    assert (await tell(client, ada, zip_code="11111")).status_code == 401
    assert (await world.fetch("SELECT count(*) FROM auth.profile"))[0][0] == 0


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"pan_number": "ABCDE1234F"}, "/pan_number"),
        ({"pan_number": ""}, "/pan_number"),
        ({"aadhaar_number": "234567890123"}, "/aadhaar_number"),
        ({"aadhaar_number": 234567890124}, "/aadhaar_number"),
        ({"zip_code": ""}, "/zip_code"),
        ({"zip_code": "1" * 11}, "/zip_code"),
        ({"dependents": -1}, "/dependents"),
        ({"dependents": "2"}, "/dependents"),
        ({"dependents": True}, "/dependents"),
        ({"annual_income": {"amount": "-1", "currency": "USD"}}, "/annual_income/amount"),
        ({"annual_income": {"amount": 0.5, "currency": "USD"}}, "/annual_income/amount"),
        ({"annual_income": {"amount": "1"}}, "/annual_income/currency"),
        ({"max_daily_loss": {"amount": "1", "currency": "dollars"}}, "/max_daily_loss/currency"),
        ({"risk_tolerance": "medium"}, "/risk_tolerance"),
        ({"preferred_brokers": ["Zerodha", "Zerodha"]}, "/preferred_brokers"),
        ({"preferred_brokers": [str(n) for n in range(21)]}, "/preferred_brokers"),
        ({"trading_preferences": []}, "/trading_preferences"),
        ({"trading_preferences": {"a": "x" * 8_200}}, "/trading_preferences"),
        ({"kyc_verified": True}, "/kyc_verified"),
        ({"tier": "Enterprise"}, "/tier"),
        ({"user_id": "0198dead-0000-7000-8000-00000000beef"}, "/user_id"),
    ],
)
async def test_a_bad_field_is_named_and_nothing_is_kept(
    client: AsyncClient, world: World, ada: Person, said: dict[str, object], pointer: str
) -> None:
    answer = await tell(client, ada, **({"zip_code": "560001"} | said))

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await world.fetch("SELECT count(*) FROM auth.profile"))[0][0] == 0


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
async def test_a_number_beyond_every_double_is_no_preference(client: AsyncClient, ada: Person, number: str) -> None:
    headers = ada.bearer | {"content-type": "application/json"}

    answer = await client.patch("/v1/profile", content=f'{{"trading_preferences": {{"a": {number}}}}}', headers=headers)

    assert answer.status_code == 422, answer.text


async def test_another_identifier_ends_a_verification_and_the_profile_says_so(
    auth: Running, client: AsyncClient, ada: Person
) -> None:
    await tell(client, ada, pan_number=a_pan())
    await client.post("/v1/kyc/submission", json={"documents": [PASSPORT]}, headers=ada.bearer)
    await decide(client, await staff(client, auth), ada)
    assert (await profile_of(client, ada))["kyc_verified"] is True

    unconcerned = await tell(client, ada, zip_code="560001")
    other = await tell(client, ada, pan_number=a_pan())

    assert (unconcerned.json()["kyc_verified"], other.json()["kyc_verified"]) == (True, False)
