"""Setting up a second factor: what is shown once, what it takes, who may not be without, and what scopes depend on it."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx2 import AsyncClient, Response

from libs.schema.audit import SecurityActed
from libs.schema.auth import MailTemplate
from services.auth.commands.staff import grant_role
from services.auth.model import SCOPES_OF_ROLE, PlatformRole, Role
from tests.auth.builders import EMAIL, PASSWORD, Person, a_person, again, bearer, log_in, mails, refresh, verifier
from tests.second_factor import App, asking, enrol, log_in_as_staff, log_in_with
from tests.world import Running, World

OWNER = SCOPES_OF_ROLE[Role.OWNER]


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


async def made_staff(auth: Running) -> None:
    async with auth.db.work() as tx:
        await grant_role(tx, EMAIL, PlatformRole.ADMIN)


async def set_up(client: AsyncClient, person: Person) -> dict[str, object]:
    answer = await client.get("/v1/me/second-factor", headers=person.bearer)
    shown: dict[str, object] = answer.raise_for_status().json()
    return shown


async def remove(client: AsyncClient, token: str) -> Response:
    return await client.delete("/v1/me/totp", headers=bearer(token))


async def scopes(client: AsyncClient, token: str) -> frozenset[str]:
    return (await verifier(client).verify(token)).scopes


async def test_the_secret_is_shown_to_type_in_and_as_a_qr_code_says_it(client: AsyncClient, ada: Person) -> None:
    shown = (await client.post("/v1/me/totp", headers=ada.bearer)).raise_for_status().json()

    uri = urlsplit(shown["otpauth_uri"])
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/Fillstream:ada%40example.com")
    assert parse_qs(uri.query)["secret"] == [shown["secret"]]
    assert len(base64.b32decode(shown["secret"])) == 20


async def test_an_application_that_was_not_confirmed_asks_nobody_for_codes(client: AsyncClient, ada: Person) -> None:
    (await client.post("/v1/me/totp", headers=ada.bearer)).raise_for_status()

    assert (await log_in(client)).status_code == 200
    assert (await set_up(client, ada))["totp"] is False


async def test_confirming_gives_ten_recovery_codes_once(client: AsyncClient, ada: Person) -> None:
    first = await enrol(asking(client), ada.access_token)
    second = await enrol(asking(client), ada.access_token)

    assert len(set(first.recovery_codes)) == 10
    assert second.recovery_codes == []
    assert await set_up(client, ada) == {
        "totp": True, "passkeys": 0, "recovery_codes_left": 10, "required": False,
    }  # fmt: skip


async def test_a_new_application_takes_the_place_of_the_old_one(client: AsyncClient, ada: Person) -> None:
    old = await enrol(asking(client), ada.access_token)
    new = await enrol(asking(client), ada.access_token)

    async def shown(app: App) -> int:
        challenge = (await log_in(client)).json()["challenge"]
        answer = await client.post("/v1/auth/second-factor", json={"challenge": challenge, "code": app.code()})
        return answer.status_code

    assert [await shown(old), await shown(new)] == [401, 200]


async def test_the_old_application_counts_until_the_new_one_is_confirmed(client: AsyncClient, ada: Person) -> None:
    old = await enrol(asking(client), ada.access_token)
    (await client.post("/v1/me/totp", headers=ada.bearer)).raise_for_status()

    assert await log_in_with(asking(client), old, EMAIL, PASSWORD)


@pytest.mark.parametrize("path", ["/v1/me/totp/confirm", "/v1/me/recovery-codes", "/v1/me/totp"])
async def test_what_was_not_begun_can_be_neither_ended_nor_gone_on_with(
    client: AsyncClient, ada: Person, path: str
) -> None:
    method, body = ("DELETE", None) if path == "/v1/me/totp" else ("POST", {"code": "123456"})
    answer = await client.request(method, path, json=body, headers=ada.bearer)

    assert answer.status_code == 404


async def test_a_wrong_code_confirms_nothing(client: AsyncClient, ada: Person) -> None:
    (await client.post("/v1/me/totp", headers=ada.bearer)).raise_for_status()

    answer = await client.post("/v1/me/totp/confirm", json={"code": "000000"}, headers=ada.bearer)

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/code")
    assert (await log_in(client)).status_code == 200


async def test_new_recovery_codes_take_the_place_of_the_old_ones(client: AsyncClient, ada: Person) -> None:
    app = await enrol(asking(client), ada.access_token)
    fresh = await asking(client)("/v1/me/recovery-codes", {}, ada.access_token)

    async def shown(code: str) -> int:
        challenge = (await log_in(client)).json()["challenge"]
        answer = await client.post("/v1/auth/second-factor", json={"challenge": challenge, "code": code})
        return answer.status_code

    assert [await shown(app.recovery_codes[0]), await shown(fresh["recovery_codes"][0])] == [401, 200]


async def test_each_change_is_told_by_mail_and_in_the_trail(client: AsyncClient, world: World, ada: Person) -> None:
    await enrol(asking(client), ada.access_token)
    await asking(client)("/v1/me/recovery-codes", {}, ada.access_token)
    (await remove(client, ada.access_token)).raise_for_status()

    await mails(world, MailTemplate.SECOND_FACTOR_CHANGED, 3)
    acts = [told.event.act for told in world.published(SecurityActed)]
    assert [act for act in acts if not act.startswith(("user.", "session."))] == [
        "totp.confirmed", "recovery_codes.renewed", "totp.removed",
    ]  # fmt: skip


async def test_whoever_sets_one_up_has_done_the_step(client: AsyncClient, ada: Person) -> None:
    await enrol(asking(client), ada.access_token)

    steps = (await client.get("/v1/onboarding", headers=ada.bearer)).json()["steps"]

    assert {step["name"]: step["state"] for step in steps}["second_factor"] == "DONE"


async def test_without_a_factor_recovery_codes_are_gone_and_a_password_is_enough(
    client: AsyncClient, ada: Person
) -> None:
    await enrol(asking(client), ada.access_token)
    (await remove(client, ada.access_token)).raise_for_status()

    assert (await log_in(client)).status_code == 200
    assert (await set_up(client, ada))["recovery_codes_left"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/me/totp"), ("POST", "/v1/me/totp/confirm"), ("DELETE", "/v1/me/totp"),
        ("POST", "/v1/me/recovery-codes"), ("POST", "/v1/me/passkey-options"), ("POST", "/v1/me/passkeys"),
        ("DELETE", "/v1/me/passkeys/0198dead-0000-7000-8000-00000000beef"), ("POST", "/v1/auth/device/approval"),
    ],
)  # fmt: skip
async def test_what_decides_about_logins_takes_a_fresh_one(
    client: AsyncClient, world: World, ada: Person, method: str, path: str
) -> None:
    await world.fetch("UPDATE auth.session SET authenticated_at = now() - interval '16 minutes'")
    stale = (await refresh(client, ada.refresh_token)).json()["access_token"]

    answer = await client.request(method, path, headers=bearer(stale))

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="insufficient_user_authentication"')


async def test_staff_scopes_take_a_second_factor(client: AsyncClient, auth: Running, ada: Person) -> None:
    await made_staff(auth)
    without = (await log_in(client)).json()["access_token"]

    with_ = (await log_in_as_staff(asking(client), EMAIL, PASSWORD))["access_token"]

    assert await scopes(client, without) == OWNER
    assert await scopes(client, with_) == OWNER | SCOPES_OF_ROLE[PlatformRole.ADMIN]


async def test_a_session_that_was_opened_without_one_stays_without_its_scopes(
    client: AsyncClient, auth: Running, ada: Person
) -> None:
    await made_staff(auth)
    before = (await log_in(client)).json()
    await enrol(asking(client), before["access_token"])

    tokens = (await refresh(client, before["refresh_token"])).json()

    assert await scopes(client, tokens["access_token"]) == OWNER


async def test_a_workspace_that_demands_one_gives_nothing_without(
    client: AsyncClient, world: World, ada: Person
) -> None:
    await world.fetch("UPDATE auth.workspace SET second_factor_required = true")
    without = await again(client, ada.user_id)
    me = (await client.get("/v1/me", headers=without.bearer)).json()

    app = await enrol(asking(client), without.access_token)
    with_ = await log_in_with(asking(client), app, EMAIL, PASSWORD)

    assert await scopes(client, without.access_token) == frozenset()
    assert me["second_factor_required"] is True
    assert await scopes(client, with_["access_token"]) == OWNER


async def test_another_workspace_may_demand_one_of_its_members(client: AsyncClient, world: World, ada: Person) -> None:
    """Also where the session is kept in the member's home: what the workspace demands is seen from there."""
    bob = await a_person(client, email="bob@example.com")
    await world.fetch(
        "INSERT INTO auth.membership (tenant_id, user_id, role) VALUES ($1::text::uuid, $2::text::uuid, 'TRADER')",
        bob.workspace_id, ada.user_id,
    )  # fmt: skip
    await world.fetch(
        "UPDATE auth.workspace SET second_factor_required = true WHERE id = $1::text::uuid", bob.workspace_id
    )
    await world.fetch(
        "UPDATE auth.session SET workspace_id = $1::text::uuid WHERE user_id = $2::text::uuid",
        bob.workspace_id, ada.user_id,
    )  # fmt: skip

    there = (await refresh(client, ada.refresh_token)).json()["access_token"]
    at_home = (await log_in(client)).json()["access_token"]

    assert await scopes(client, there) == frozenset()
    assert await scopes(client, at_home) == OWNER


@pytest.mark.parametrize("whose", ["staff", "member"])
async def test_whoever_has_to_have_one_keeps_the_last(
    client: AsyncClient, auth: Running, world: World, ada: Person, whose: str
) -> None:
    if whose == "staff":
        await made_staff(auth)
        ada = await again(client, ada.user_id)
    else:
        await world.fetch("UPDATE auth.workspace SET second_factor_required = true")
    await enrol(asking(client), ada.access_token)

    answer = await remove(client, ada.access_token)

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:fillstream:problem:second-factor-needed")
    assert await set_up(client, ada) == {
        "totp": True, "passkeys": 0, "recovery_codes_left": 10, "required": True,
    }  # fmt: skip


async def test_of_two_confirmations_at_once_one_gives_the_codes(client: AsyncClient, ada: Person) -> None:
    secret = (await client.post("/v1/me/totp", headers=ada.bearer)).json()["secret"]
    body = {"code": App(base64.b32decode(secret)).code_of(0)}

    answers = await asyncio.gather(
        *(client.post("/v1/me/totp/confirm", json=body, headers=ada.bearer) for _ in range(5))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404, 404]
