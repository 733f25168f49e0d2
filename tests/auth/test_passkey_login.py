"""Passkeys over HTTP: made, used as the second factor or as the only one, told apart from copies and from other people's."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from libs.schema.audit import ActResult, SecurityActed
from libs.schema.auth import MailRequested, MailTemplate
from tests.auth.authenticator import (
    BACKED_UP,
    ELIGIBLE,
    ES256,
    PRESENT,
    TRUTH,
    VERIFIED,
    Authenticator,
    Json,
    Lie,
    a_key,
    encoded,
)
from tests.auth.builders import PASSWORD, Person, a_person, bearer, log_in, refresh, verifier
from tests.second_factor import asking, enrol
from tests.world import Running, World

HERE = "http://localhost:8000"


@dataclass
class Holder:
    """Somebody with a passkey, and the browser that it is used in."""

    person: Person
    device: Authenticator
    client: AsyncClient
    added: Json

    async def challenge(self) -> str:
        answer = await log_in(self.client, email="ada@example.com")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["challenge"])

    async def options(self, challenge: str | None = None) -> Json:
        body = {} if challenge is None else {"challenge": challenge}
        asked = (await self.client.post("/v1/auth/passkeys/options", json=body)).raise_for_status().json()
        assert isinstance(asked, dict)
        return asked

    async def show(self, challenge: str, credential: Json) -> Response:
        body = {"challenge": challenge, "credential": credential}
        return await self.client.post("/v1/auth/passkeys", json=body)

    async def as_second(self, lie: Lie = TRUTH, device: Authenticator | None = None) -> Response:
        challenge = await self.challenge()
        asked = await self.options(challenge)
        return await self.show(challenge, (device or self.device).get(_options(asked), lie))

    async def alone(self, lie: Lie = TRUTH, device: Authenticator | None = None) -> Response:
        asked = await self.options()
        return await self.show(str(asked["challenge"]), (device or self.device).get(_options(asked), lie))


def _options(asked: Json) -> Json:
    options = asked["options"]
    assert isinstance(options, dict)
    return options


async def made(client: AsyncClient, person: Person, device: Authenticator, lie: Lie = TRUTH) -> Response:
    begun = (await client.post("/v1/me/passkey-options", headers=person.bearer)).raise_for_status().json()
    body = {"challenge": begun["challenge"], "credential": device.create(begun["options"], lie), "name": "Laptop"}
    return await client.post("/v1/me/passkeys", json=body, headers=person.bearer)


@pytest.fixture
async def ada(client: AsyncClient) -> Holder:
    person = await a_person(client)
    device = Authenticator(a_key(ES256), origin=HERE, counts=1)
    answer = await made(client, person, device)
    assert answer.status_code == 201, answer.text
    return Holder(person, device, client, answer.json())


async def test_a_new_passkey_is_listed_and_comes_with_recovery_codes(ada: Holder) -> None:
    listed = (await ada.client.get("/v1/me/passkeys", headers=ada.person.bearer)).json()["items"]

    codes = ada.added.pop("recovery_codes")
    assert listed == [ada.added]
    assert isinstance(codes, list)
    assert len(codes) == 10
    assert listed[0]["name"] == "Laptop"


async def test_a_passkey_completes_a_login(ada: Holder) -> None:
    answer = await ada.as_second()

    assert answer.status_code == 200, answer.text
    caller = await verifier(ada.client).verify(answer.json()["access_token"])
    assert caller.methods == {"pwd", "pop", "mfa"}


async def test_a_login_that_waits_names_the_passkeys_and_one_that_begins_names_none(ada: Holder) -> None:
    waiting, beginning = await ada.options(await ada.challenge()), await ada.options()

    named = _options(waiting)["allowCredentials"]
    assert isinstance(named, list)
    assert len(named) == 1
    assert _options(beginning)["allowCredentials"] == []


async def test_a_passkey_alone_is_two_factors(ada: Holder) -> None:
    answer = await ada.alone()

    assert answer.status_code == 200, answer.text
    caller = await verifier(ada.client).verify(answer.json()["access_token"])
    assert str(caller.user_id) == ada.person.user_id
    assert caller.methods == {"pop", "mfa"}


async def test_a_passkey_steps_up_without_a_password(ada: Holder, world: World) -> None:
    await world.fetch("UPDATE auth.session SET authenticated_at = now() - interval '1 hour'")
    asked = (await ada.client.post("/v1/auth/step-up/options", headers=ada.person.bearer)).raise_for_status().json()
    shown = {"challenge": asked["challenge"], "credential": ada.device.get(asked["options"])}

    answer = await ada.client.post(
        "/v1/auth/step-up", json={"refresh_token": ada.person.refresh_token, "passkey": shown}
    )

    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    assert (await verifier(ada.client).verify(token)).methods == {"pop", "mfa"}
    assert (await ada.client.post("/v1/me/totp", headers=bearer(token))).status_code == 201


async def test_a_challenge_of_a_login_does_not_step_up(ada: Holder) -> None:
    asked = await ada.options()
    shown = {"challenge": asked["challenge"], "credential": ada.device.get(_options(asked))}

    answer = await ada.client.post(
        "/v1/auth/step-up", json={"refresh_token": ada.person.refresh_token, "passkey": shown}
    )

    assert answer.status_code == 401
    assert (await refresh(ada.client, ada.person.refresh_token)).status_code == 200


LIES = {
    "wrong origin": Lie(client={"origin": "https://evil.example"}),
    "wrong relying party": Lie(rp_id="evil.example"),
    "another question": Lie(challenge=b"x" * 32),
    "another ceremony": Lie(kind="webauthn.create"),
    "nobody verified": Lie(flags=VERIFIED),
    "nobody present": Lie(flags=PRESENT),
    "another key": Lie(signer=a_key(ES256)),
    "counted back": Lie(count=0),
}
SYNCHRONISED = Lie(flags=ELIGIBLE | BACKED_UP, count=0)


@pytest.mark.parametrize("name", LIES)
@pytest.mark.parametrize("how", ["second", "alone"])
async def test_a_lie_opens_nothing(ada: Holder, name: str, how: str) -> None:
    (await ada.alone()).raise_for_status()

    answer = await (ada.as_second(LIES[name]) if how == "second" else ada.alone(LIES[name]))

    assert answer.status_code == 401, answer.text
    assert "access_token" not in answer.json()


async def test_a_copy_that_lags_behind_is_refused_and_told(ada: Holder, world: World) -> None:
    copy = ada.device.copy()
    (await ada.alone()).raise_for_status()

    assert (await ada.alone(device=copy)).status_code == 401
    await world.settled("auth")
    acts = [told.event for told in world.published(SecurityActed) if told.event.act == "passkey.used"]
    assert [act.result for act in acts] == [ActResult.REFUSED]


async def test_another_persons_passkey_completes_nobodys_login(ada: Holder) -> None:
    eve = await a_person(ada.client, email="eve@example.com")
    device = Authenticator(a_key(ES256), origin=HERE)
    (await made(ada.client, eve, device)).raise_for_status()

    as_herself = await ada.as_second(device=device)
    as_ada = await ada.alone(Lie(handle=ada.device.handle), device)

    assert [as_herself.status_code, as_ada.status_code] == [401, 401]


@pytest.mark.parametrize("handle", [b"", b"x", UUID(int=7, version=4).bytes])
async def test_nobodys_passkey_opens_nothing(ada: Holder, handle: bytes) -> None:
    stranger = Authenticator(a_key(ES256), origin=HERE, handle=handle)

    assert (await ada.alone(device=stranger)).status_code == 401


async def test_a_question_is_answered_once_right_or_wrong(ada: Holder) -> None:
    asked = await ada.options()
    answers = [
        await ada.show(str(asked["challenge"]), ada.device.get(_options(asked), lie))
        for lie in (LIES["another key"], TRUTH)
    ]

    assert [answer.status_code for answer in answers] == [401, 401]


async def test_of_ten_answers_to_one_question_at_once_one_opens_a_session(ada: Holder) -> None:
    asked = await ada.options()
    credentials = [ada.device.get(_options(asked)) for _ in range(10)]

    answers = await asyncio.gather(*(ada.show(str(asked["challenge"]), one) for one in credentials))

    assert Counter(answer.status_code for answer in answers) == {200: 1, 401: 9}


async def test_a_passkey_belongs_to_one_person(ada: Holder) -> None:
    eve = await a_person(ada.client, email="eve@example.com")

    answer = await made(ada.client, eve, ada.device)

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:fillstream:problem:passkey-taken")


async def test_a_registration_that_lies_is_refused_and_spends_its_question(ada: Holder) -> None:
    begun = (await ada.client.post("/v1/me/passkey-options", headers=ada.person.bearer)).json()
    device = Authenticator(a_key(ES256), origin=HERE)
    answers = []
    for lie in (LIES["wrong origin"], TRUTH):
        body = {"challenge": begun["challenge"], "credential": device.create(begun["options"], lie)}
        answers.append(await ada.client.post("/v1/me/passkeys", json=body, headers=ada.person.bearer))

    assert [answer.status_code for answer in answers] == [422, 404]


async def test_a_removed_passkey_opens_nothing_and_a_password_is_enough_again(ada: Holder) -> None:
    gone = await ada.client.delete(f"/v1/me/passkeys/{ada.added['id']}", headers=ada.person.bearer)

    assert gone.status_code == 204
    assert (await ada.alone()).status_code == 401
    assert (await log_in(ada.client)).status_code == 200


async def test_a_passkey_can_be_called_something_else(ada: Holder) -> None:
    path = f"/v1/me/passkeys/{ada.added['id']}"

    answer = await ada.client.patch(path, json={"name": "Telephone"}, headers=ada.person.bearer)

    assert answer.json()["name"] == "Telephone"


async def test_nobody_names_or_removes_another_persons_passkey(ada: Holder) -> None:
    eve, path = await a_person(ada.client, email="eve@example.com"), f"/v1/me/passkeys/{ada.added['id']}"

    answers = [
        await ada.client.patch(path, json={"name": "Mine"}, headers=eve.bearer),
        await ada.client.delete(path, headers=eve.bearer),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]


async def test_nobody_has_more_than_twenty(ada: Holder, world: World) -> None:
    await world.fetch(
        "INSERT INTO auth.passkey (id, tenant_id, user_id, credential_id, public_key, sign_count, aaguid, transports, "
        "backup_eligible, backed_up, name) SELECT uuidv7(), tenant_id, user_id, uuid_send(uuidv7()), public_key, 0, "
        "aaguid, transports, false, false, 'one more' FROM auth.passkey, generate_series(1, 19)"
    )

    answer = await ada.client.post("/v1/me/passkey-options", headers=ada.person.bearer)

    assert (answer.status_code, answer.json()["type"]) == (409, "urn:fillstream:problem:too-many-passkeys")


async def test_whom_support_locked_does_not_get_in_by_a_passkey(ada: Holder, world: World) -> None:
    await world.fetch("UPDATE auth.\"user\" SET lock_reason = 'SUPPORT', locked_until = now() + interval '1 hour'")

    assert (await ada.alone()).status_code == 401


async def test_ones_own_passkey_gives_an_address_no_tries_back(ada: Holder, world: World) -> None:
    for name in ("bob", "eve"):
        await log_in(ada.client, email=f"{name}@example.com", password="not it")
    before = await world.fetch("SELECT max(failures) FROM auth.login_guard")

    for _ in range(3):
        (await ada.alone()).raise_for_status()

    assert await world.fetch("SELECT max(failures) FROM auth.login_guard") == before


async def test_settings_that_no_browser_would_take_stop_the_start(world: World) -> None:
    with pytest.raises(ValueError, match="no https origin"):
        async with world.running("auth", auth_passkey_rp_id="example.com"):
            pass


async def test_challenges_whose_time_is_over_are_forgotten(ada: Holder, world: World, auth: Running) -> None:
    await ada.options()
    await world.fetch("UPDATE auth.login_challenge SET expires_at = now() - interval '1 minute'")

    await ada.options()

    assert (await world.fetch("SELECT count(*) FROM auth.login_challenge WHERE user_id IS NULL"))[0][0] == 1


async def test_a_right_password_is_still_asked_for(ada: Holder) -> None:
    assert (await log_in(ada.client, password=PASSWORD + "!")).status_code == 401


@pytest.fixture
async def synchronised(client: AsyncClient) -> Holder:
    """Somebody whose passkey could not be synchronised when it was made, and who has another second factor."""
    person = await a_person(client)
    device = Authenticator(a_key(ES256), origin=HERE)
    answer = await made(client, person, device)
    return Holder(person, device, client, answer.raise_for_status().json())


async def test_a_passkey_that_is_synchronised_now_is_refused_and_another_factor_ends_the_same_challenge(
    synchronised: Holder, world: World
) -> None:
    holder, codes = synchronised, synchronised.added["recovery_codes"]
    assert isinstance(codes, list)
    app = await enrol(asking(holder.client), holder.person.access_token)

    for _ in range(6):
        challenge = await holder.challenge()
        for _ in range(6):
            credential = holder.device.get(_options(await holder.options(challenge)), SYNCHRONISED)
            refused = await holder.show(challenge, credential)
            assert (refused.status_code, problem(refused)) == (401, "passkey-changed")
            assert "several devices" in refused.json()["detail"]
    with_code = {"challenge": challenge, "code": app.code()}
    answer = await holder.client.post("/v1/auth/second-factor", json=with_code)
    paper = {"challenge": await holder.challenge(), "code": codes[0]}

    assert answer.status_code == 200, answer.text
    assert (await holder.client.post("/v1/auth/second-factor", json=paper)).status_code == 200
    assert await world.fetch("SELECT FROM auth.login_guard WHERE failures > 0") == []
    await world.settled("auth")
    sent = {told.event.template for told in world.published(MailRequested)}
    assert not sent & {MailTemplate.SECOND_FACTOR_REFUSED, MailTemplate.ACCOUNT_LOCKED}


async def test_a_passkey_that_is_synchronised_now_says_so_without_a_password_too(
    synchronised: Holder, world: World
) -> None:
    answers = [await synchronised.alone(SYNCHRONISED) for _ in range(12)]

    assert {(answer.status_code, problem(answer)) for answer in answers} == {(401, "passkey-changed")}
    assert (await log_in(synchronised.client)).status_code == 202
    assert (await synchronised.alone()).status_code == 200, "as it was made, it is taken"


async def test_a_passkey_that_is_synchronised_now_does_not_step_up_and_says_so(synchronised: Holder) -> None:
    client, person = synchronised.client, synchronised.person
    asked = (await client.post("/v1/auth/step-up/options", headers=person.bearer)).raise_for_status().json()
    shown = {"challenge": asked["challenge"], "credential": synchronised.device.get(asked["options"], SYNCHRONISED)}

    answer = await client.post("/v1/auth/step-up", json={"refresh_token": person.refresh_token, "passkey": shown})

    assert (answer.status_code, problem(answer)) == (401, "passkey-changed")


async def test_kinds_of_authenticators_and_transports_that_nobody_knows_yet_are_kept(client: AsyncClient) -> None:
    person = await a_person(client)
    ways = ("internal", "smart-card", "x-new2")
    device = Authenticator(a_key(ES256), origin=HERE, aaguid=bytes(range(16)), transports=ways)

    answer = await made(client, person, device)
    holder = Holder(person, device, client, answer.json())

    assert answer.status_code == 201, answer.text
    named = _options(await holder.options(await holder.challenge()))["allowCredentials"]
    assert named == [{"type": "public-key", "id": encoded(device.credential_id), "transports": list(ways)}]
    assert (await holder.as_second()).status_code == 200


def problem(answer: Response) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]
