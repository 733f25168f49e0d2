"""The first proof of an address: what needs it, and what goes with it, since a stranger may have registered."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from libs.kit.ids import uuid7
from libs.schema.auth import ApiKeyRevoked, MailTemplate
from services.auth.commands.staff import enrol_first
from services.auth.repository.users import NewUser
from tests.auth.authenticator import ES256, Authenticator, a_key
from tests.auth.builders import EMAIL, PASSWORD, Person, a_newcomer, again, bearer, log_in, mails, refresh, ticket
from tests.auth.devices import Device, a_device, error
from tests.auth.programs import Key, exchange, terms
from tests.auth.programs import a_key as an_api_key
from tests.auth.supporters import a_grant, soon
from tests.auth.teams import invite
from tests.proved import prove_address
from tests.second_factor import asking, enrol
from tests.world import Running, World, eventually

HERE = "http://localhost:8000"
OWN = "nine purple llamas sing at dawn"


async def a_passkey(client: AsyncClient, person: Person) -> Authenticator:
    device = Authenticator(a_key(ES256), origin=HERE)
    begun = (await client.post("/v1/me/passkey-options", headers=person.bearer)).raise_for_status().json()
    made = {"challenge": begun["challenge"], "credential": device.create(begun["options"]), "name": "Laptop"}
    (await client.post("/v1/me/passkeys", json=made, headers=person.bearer)).raise_for_status()
    return device


async def by_passkey(client: AsyncClient, device: Authenticator) -> Response:
    asked = (await client.post("/v1/auth/passkeys/options", json={})).raise_for_status().json()
    shown = {"challenge": asked["challenge"], "credential": device.get(asked["options"])}
    return await client.post("/v1/auth/passkeys", json=shown)


@dataclass(frozen=True)
class Planted:
    """What a stranger left in an account that is registered with somebody else's address."""

    stranger: Person
    passkey: Authenticator
    key: Key
    device: Device


@pytest.fixture
async def planted(client: AsyncClient, auth: Running, world: World) -> Planted:
    """All that could be planted while nothing asked for a proof."""
    stranger = await a_newcomer(client)
    await prove_address(auth.db, EMAIL)
    passkey = await a_passkey(client, stranger)
    await enrol(asking(client), stranger.access_token)
    key = await an_api_key(client, stranger)
    device = await a_device(client)
    (await device.decided(stranger)).raise_for_status()
    await a_grant(client, stranger)
    assert (await invite(client, stranger, "accomplice@example.com")).status_code == 201
    await world.fetch('UPDATE auth."user" SET email_verified = false')
    return Planted(stranger, passkey, key, device)


async def verified(client: AsyncClient, world: World, **shown: str) -> Response:
    """The owner of the address answers the mail that the registration sent."""
    (mail,) = await mails(world, MailTemplate.VERIFY_EMAIL)
    return await client.post("/v1/auth/email-verification", json={"token": ticket(mail)} | shown)


async def reset(client: AsyncClient, world: World) -> Response:
    """The owner of the address says that they forgot a password."""
    await client.post("/v1/auth/password-reset", json={"email": EMAIL})
    return await choose(client, world)


async def choose(client: AsyncClient, world: World) -> Response:
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)
    return await client.put("/v1/auth/password-reset", json={"token": ticket(mail), "new_password": OWN})


async def prove_by(how: str, client: AsyncClient, world: World) -> None:
    answer = await (verified(client, world) if how == "verification" else reset(client, world))
    assert answer.status_code == 204, answer.text


BOTH = pytest.mark.parametrize("how", ["verification", "reset"])


@BOTH
async def test_the_first_proof_of_an_address_drops_every_factor_from_before(
    client: AsyncClient, world: World, planted: Planted, how: str
) -> None:
    await prove_by(how, client, world)

    assert (await by_passkey(client, planted.passkey)).status_code == 401
    for table in ("totp", "passkey", "recovery_code"):
        assert await world.fetch(f"SELECT FROM auth.{table}") == []


@BOTH
async def test_the_first_proof_of_an_address_drops_every_session_and_approval_from_before(
    client: AsyncClient, world: World, planted: Planted, how: str
) -> None:
    await prove_by(how, client, world)

    assert (await refresh(client, planted.stranger.refresh_token)).status_code == 401
    assert error(await planted.device.poll()) == "access_denied"

    async def refused() -> None:
        assert (await client.get("/v1/me", headers=planted.stranger.bearer)).status_code == 401

    await eventually(refused, patience=30)


@BOTH
async def test_the_first_proof_of_an_address_drops_every_key_grant_and_invitation_from_before(
    client: AsyncClient, world: World, planted: Planted, how: str
) -> None:
    await prove_by(how, client, world)
    await world.settled("auth")

    assert (await exchange(client, planted.key)).status_code == 400
    (revoked,) = await world.expect(ApiKeyRevoked, 1)
    assert str(revoked.event.key_id) == planted.key.id
    assert await world.fetch("SELECT FROM auth.support_grant WHERE revoked_at IS NULL") == []
    assert await world.fetch("SELECT FROM auth.invitation WHERE state = 'PENDING'") == []


async def test_a_password_that_whoever_proves_the_address_does_not_show_opens_nothing_any_more(
    client: AsyncClient, world: World, planted: Planted
) -> None:
    assert (await verified(client, world)).status_code == 204

    assert (await log_in(client)).status_code == 401
    assert (await choose(client, world)).status_code == 204, "a mail lets the owner choose one"
    assert (await log_in(client, password=OWN)).status_code == 200
    assert planted.stranger.user_id == (await again_with(client, OWN)).json()["user_id"]


async def again_with(client: AsyncClient, password: str) -> Response:
    token = (await log_in(client, password=password)).json()["access_token"]
    return await client.get("/v1/me", headers=bearer(token))


async def test_whoever_shows_the_password_with_the_proof_goes_on_with_it(client: AsyncClient, world: World) -> None:
    newcomer = await a_newcomer(client)

    assert (await verified(client, world, password=PASSWORD)).status_code == 204

    assert (await refresh(client, newcomer.refresh_token)).status_code == 401, "sessions end all the same"
    person = await again(client, newcomer.user_id)
    await enrol(asking(client), person.access_token)
    key = await an_api_key(client, person)
    await world.settled("auth")
    assert (await exchange(client, key)).status_code == 200, "what came after the proof stays"


async def test_a_wrong_password_proves_nothing_and_uses_no_mail_up(client: AsyncClient, world: World) -> None:
    await a_newcomer(client)

    answer = await verified(client, world, password="not the password")

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:fillstream:problem:wrong-password")
    assert (await log_in(client)).status_code == 200
    assert (await verified(client, world, password=PASSWORD)).status_code == 204


async def test_a_later_proof_drops_nothing(client: AsyncClient, auth: Running, world: World) -> None:
    person = await a_newcomer(client)
    await prove_address(auth.db, EMAIL)
    passkey = await a_passkey(client, person)

    assert (await verified(client, world)).status_code == 204

    assert (await log_in(client)).status_code == 202
    assert (await by_passkey(client, passkey)).status_code == 200


CALLS = {
    "an application": ("/v1/me/totp", None),
    "its confirmation": ("/v1/me/totp/confirm", {"code": "123456"}),
    "a passkey": ("/v1/me/passkey-options", None),
    "recovery codes": ("/v1/me/recovery-codes", None),
    "a key": ("/v1/api-keys", terms()),
    "a grant": ("/v1/support-grants", {"reason": "My order hangs.", "expires_at": soon()}),
    "an invitation": ("/v1/workspaces/{home}/invitations", {"email": "bob@example.com", "role": "TRADER"}),
}


@pytest.mark.parametrize("name", CALLS)
async def test_what_lets_somebody_in_needs_a_proved_address(client: AsyncClient, world: World, name: str) -> None:
    newcomer = await a_newcomer(client)
    path, body = CALLS[name]

    answer = await client.post(path.format(home=newcomer.workspace_id), json=body, headers=newcomer.bearer)

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (403, "urn:fillstream:problem:email-unverified")
    assert "/v1/me/email-verification" in problem["detail"]
    for table in ("totp", "login_challenge", "api_key", "support_grant", "invitation"):
        assert await world.fetch(f"SELECT FROM auth.{table}") == []


async def test_a_device_is_approved_by_whose_address_is_proved_and_denied_by_anybody(client: AsyncClient) -> None:
    newcomer, device = await a_newcomer(client), await a_device(client)

    answer = await device.decided(newcomer)

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:fillstream:problem:email-unverified")
    assert (await device.decided(newcomer, "DENY")).status_code == 200


async def test_the_first_super_admin_needs_no_mail_to_set_up_a_second_factor(
    client: AsyncClient, auth: Running
) -> None:
    password_hash = await auth.service.http.state.parts.passwords.hash(PASSWORD)
    async with auth.db.work() as tx:
        chief = await enrol_first(tx, NewUser(EMAIL, password_hash, None, None), uuid7())

    session = (await log_in(client)).raise_for_status().json()

    assert isinstance(chief.id, UUID)
    assert (await enrol(asking(client), session["access_token"])).recovery_codes
