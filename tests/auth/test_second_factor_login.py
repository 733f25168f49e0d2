"""Logging in with two factors: the second is asked for after a right password, and is good once, soon, and not to guess."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from httpx2 import AsyncClient, Response

from libs.kit.crypto.keyring import Place
from libs.schema.auth import MailTemplate, UserLocked
from services.auth.totp import STANDARD
from tests.auth.builders import (
    PASSWORD,
    Person,
    a_person,
    bearer,
    forget_the_waits,
    log_in,
    mails,
    refresh,
    stop_the_clock,
    ticket,
    verifier,
)
from tests.second_factor import App, asking, enrol
from tests.world import Running, World

SECRET_OF_THE_RFC = b"12345678901234567890"
# RFC 6238, appendix B: seconds since 1970, and the last six of its eight digits, which are what six digits are.
VECTORS = {
    59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037",
    20000000000: "353130",
}  # fmt: skip


@dataclass
class Guarded:
    """Somebody who has set up an application, and a login of theirs that waits for it."""

    person: Person
    app: App
    client: AsyncClient

    async def challenge(self) -> str:
        answer = await log_in(self.client)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["challenge"])

    async def show(self, challenge: str, code: str) -> Response:
        # As ASCII: the client's own encoder can't send a lone surrogate, but an attacker can.
        body = json.dumps({"challenge": challenge, "code": code})
        headers = {"content-type": "application/json"}
        return await self.client.post("/v1/auth/second-factor", content=body, headers=headers)

    async def log_in(self, code: str | None = None) -> Response:
        return await self.show(await self.challenge(), code or self.app.code())


@pytest.fixture
async def ada(client: AsyncClient) -> Guarded:
    person = await a_person(client)
    return Guarded(person, await enrol(asking(client), person.access_token), client)


async def test_who_has_no_second_factor_logs_in_as_before(client: AsyncClient) -> None:
    await a_person(client)

    answer = await log_in(client)

    assert answer.status_code == 200
    assert (await verifier(client).verify(answer.json()["access_token"])).methods == {"pwd"}


async def test_a_right_password_gives_a_challenge_and_no_tokens(ada: Guarded) -> None:
    answer = await log_in(ada.client)

    assert answer.status_code == 202, answer.text
    assert set(answer.json()) == {"challenge", "methods", "expires_in"}
    assert answer.json()["methods"] == ["totp", "recovery_code"]
    assert answer.json()["expires_in"] == 300


async def test_a_code_completes_the_login_and_the_token_says_how(ada: Guarded) -> None:
    answer = await ada.log_in()

    assert answer.status_code == 200, answer.text
    caller = await verifier(ada.client).verify(answer.json()["access_token"])
    assert caller.methods == {"pwd", "otp", "mfa"}
    assert (await refresh(ada.client, answer.json()["refresh_token"])).status_code == 200


@pytest.mark.parametrize(("seconds", "code"), VECTORS.items())
async def test_the_codes_of_the_rfc_are_taken_at_their_times(
    client: AsyncClient, auth: Running, world: World, seconds: int, code: str
) -> None:
    person = await a_person(client)
    (await client.post("/v1/me/totp", headers=person.bearer)).raise_for_status()
    ((row, tenant),) = await world.fetch("SELECT id, tenant_id FROM auth.totp")
    encryption = auth.service.http.state.parts.encryption
    async with auth.db.transaction(tenant) as tx:
        sealed = (await encryption.keyring(tx, tenant)).seal(SECRET_OF_THE_RFC, Place("totp", "secret", row))
    await world.fetch("UPDATE auth.totp SET secret = $1", sealed)
    # What is set up takes a session that goes on, and the RFC's times are far away.
    await world.fetch("UPDATE auth.session SET expires_at = '3000-01-01'")

    late = await _confirm_at(auth, client, person, seconds + 90, code)
    answer = await _confirm_at(auth, client, person, seconds, code)

    assert (late, answer) == (422, 200)


async def _confirm_at(auth: Running, client: AsyncClient, person: Person, seconds: int, code: str) -> int:
    auth.db.clock = lambda: datetime.fromtimestamp(seconds, UTC)
    answer = await client.post("/v1/me/totp/confirm", json={"code": code}, headers=person.bearer)
    return answer.status_code


async def test_a_code_is_good_once(ada: Guarded) -> None:
    code = ada.app.code()

    answers = [await ada.log_in(code) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 401]


async def test_a_code_that_was_shown_to_confirm_opens_nothing(ada: Guarded) -> None:
    assert (await ada.log_in(ada.app.code_of(-1))).status_code == 401


async def test_the_code_of_the_set_up_is_used_and_no_sign_of_a_thief(
    auth: Running, client: AsyncClient, world: World
) -> None:
    stop_the_clock(auth)
    person = await a_person(client)
    app = await enrol(asking(client), person.access_token)
    used, following = (STANDARD.code(app.secret, app.last_step + ahead) for ahead in (0, 1))
    ada = Guarded(person, app, client)
    challenge = await ada.challenge()

    refused = [await ada.show(challenge, used) for _ in range(7)]

    assert {(answer.status_code, answer.json()["type"].rpartition(":")[2]) for answer in refused} == {
        (401, "second-factor-used")
    }
    assert "wait for the next" in refused[0].json()["detail"]
    assert await world.fetch("SELECT FROM auth.login_guard WHERE failures > 0") == [], "a used code is charged"
    assert (await ada.show(challenge, following)).status_code == 200
    await mails(world, MailTemplate.SECOND_FACTOR_REFUSED, 0)


async def test_a_used_code_does_not_hide_the_wrong_ones(ada: Guarded, world: World) -> None:
    challenge, used = await ada.challenge(), STANDARD.code(ada.app.secret, ada.app.last_step)

    for _ in range(3):
        await ada.show(challenge, used)
        assert (await ada.show(challenge, "000000")).json()["type"].endswith(":wrong-second-factor")

    await mails(world, MailTemplate.SECOND_FACTOR_REFUSED)


async def test_a_used_code_steps_nobody_up_and_is_not_charged(ada: Guarded, world: World) -> None:
    used = STANDARD.code(ada.app.secret, ada.app.last_step)
    shown = {"refresh_token": ada.person.refresh_token, "password": PASSWORD, "code": used}

    answers = [await ada.client.post("/v1/auth/step-up", json=shown) for _ in range(12)]

    assert {answer.json()["type"].rpartition(":")[2] for answer in answers} == {"second-factor-used"}
    assert await world.fetch("SELECT FROM auth.login_guard WHERE failures > 0") == []


@pytest.mark.parametrize("zero", ["\u0660", "\uff10", "\u0966", "\U0001d7ce"])
async def test_a_code_is_taken_in_the_digits_of_any_script(ada: Guarded, zero: str) -> None:
    code = "".join(chr(ord(zero) + int(digit)) for digit in ada.app.code())

    assert (await ada.log_in(f"{code[:3]} {code[3:]}")).status_code == 200


async def test_the_set_up_is_confirmed_in_the_digits_of_any_script(client: AsyncClient) -> None:
    person = await a_person(client)
    offered = (await client.post("/v1/me/totp", headers=person.bearer)).raise_for_status().json()["secret"]
    code = App(base64.b32decode(offered)).code()
    typed = "".join(chr(0x0660 + int(digit)) for digit in code)

    answer = await client.post("/v1/me/totp/confirm", json={"code": typed}, headers=person.bearer)

    assert answer.status_code == 200, answer.text


async def test_a_recovery_code_is_taken_in_the_digits_of_any_script(ada: Guarded) -> None:
    code = ada.app.recovery_codes[0]
    typed = "".join(chr(0xFF10 + int(letter)) if letter.isdigit() else letter for letter in code)

    assert (await ada.log_in(typed)).status_code == 200


async def test_of_twenty_logins_with_one_code_at_once_one_is_completed(ada: Guarded, world: World) -> None:
    challenges = [await ada.challenge() for _ in range(20)]
    code = ada.app.code()

    answers = await asyncio.gather(*(ada.show(challenge, code) for challenge in challenges))

    assert Counter(answer.status_code for answer in answers)[200] == 1
    assert {answer.status_code for answer in answers} <= {200, 401, 429}
    assert len(await world.fetch("SELECT FROM auth.session WHERE 'mfa' = ANY (methods)")) == 1


async def test_of_twenty_logins_with_one_recovery_code_at_once_one_is_completed(ada: Guarded, world: World) -> None:
    challenges = [await ada.challenge() for _ in range(20)]
    code = ada.app.recovery_codes[0]

    answers = await asyncio.gather(*(ada.show(challenge, code) for challenge in challenges))

    assert Counter(answer.status_code for answer in answers)[200] == 1
    assert (await world.fetch("SELECT count(*) FROM auth.recovery_code WHERE used_at IS NOT NULL"))[0][0] == 1


async def test_a_recovery_code_works_once_and_its_person_is_told(ada: Guarded, world: World) -> None:
    code = ada.app.recovery_codes[0]

    answers = [await ada.log_in(code.lower().replace("-", " ")), await ada.log_in(code)]

    assert [answer.status_code for answer in answers] == [200, 401]
    (mail,) = await mails(world, MailTemplate.RECOVERY_CODE_USED)
    assert mail.address == "ada@example.com"


async def test_a_challenge_is_answered_once(ada: Guarded) -> None:
    challenge = await ada.challenge()
    (await ada.show(challenge, ada.app.code())).raise_for_status()

    again = await ada.show(challenge, ada.app.code())

    assert again.status_code == 401
    assert again.json()["type"].endswith(":challenge-spent")


async def test_a_challenge_that_is_too_old_is_not_answered(ada: Guarded, world: World) -> None:
    challenge = await ada.challenge()
    await world.fetch("UPDATE auth.login_challenge SET expires_at = now()")

    assert (await ada.show(challenge, ada.app.code())).status_code == 401


async def test_a_challenge_dies_of_five_wrong_codes(ada: Guarded, world: World) -> None:
    challenge = await ada.challenge()
    for _ in range(5):
        assert (await ada.show(challenge, "000 000")).json()["type"].endswith(":wrong-second-factor")
        await forget_the_waits(world)

    answer = await ada.show(challenge, ada.app.code())

    assert answer.json()["type"].endswith(":challenge-spent")


async def test_somebody_elses_code_does_not_answer_a_challenge(ada: Guarded, client: AsyncClient) -> None:
    eve = await a_person(client, email="eve@example.com")
    app = await enrol(asking(client), eve.access_token)

    answers = [await ada.log_in(app.code()), await ada.log_in(app.recovery_codes[0])]

    assert [answer.status_code for answer in answers] == [401, 401]


async def test_a_challenge_is_of_no_use_in_another_home(ada: Guarded, client: AsyncClient) -> None:
    eve = await a_person(client, email="eve@example.com")
    _, _, secret = (await ada.challenge()).partition(".")

    answer = await ada.show(f"{eve.workspace_id}.{secret}", ada.app.code())

    assert answer.status_code == 401


@pytest.mark.parametrize("challenge", ["", "x", "00000000-0000-0000-0000-000000000000.x", "no-uuid.secret"])
async def test_a_made_up_challenge_is_refused(ada: Guarded, challenge: str) -> None:
    assert (await ada.show(challenge, "123456")).status_code == 401


@pytest.mark.parametrize("code", ["12345", "1234567", "١٢٣٤٥٦", "\U0001f600", "\ufb01" * 24, "O" * 24, "-" * 24])
async def test_what_is_no_code_is_wrong_and_no_error(ada: Guarded, code: str) -> None:
    assert (await ada.log_in(code)).status_code == 401


async def test_half_a_character_is_no_error(ada: Guarded) -> None:
    assert (await ada.log_in("\ud83d")).status_code in {401, 422}


async def test_after_waiting_for_the_password_nobody_waits_again_for_the_code(ada: Guarded, world: World) -> None:
    for _ in range(6):
        await ada.log_in("000000")
        await forget_the_waits(world)

    assert (await ada.log_in()).status_code == 200


async def test_guessing_codes_ends_in_a_lock_of_codes_that_a_right_password_does_not_open(
    ada: Guarded, world: World
) -> None:
    for _ in range(10):
        assert (await ada.log_in("000000")).status_code == 401
        await forget_the_waits(world)

    answer = await ada.log_in()

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 80_000, "for a day"
    assert world.published(UserLocked) == [], "nothing else is locked"


async def test_the_same_is_so_for_many_at_once(auth: Running, ada: Guarded) -> None:
    challenges = [await ada.challenge() for _ in range(20)]
    stop_the_clock(auth)

    answers = await asyncio.gather(*(ada.show(challenge, "000000") for challenge in challenges))

    looked_at = Counter(answer.status_code for answer in answers)[401]
    assert looked_at <= 4, "three are free, and the fourth has to be waited after"


async def test_right_passwords_between_wrong_codes_forgive_nothing(ada: Guarded, world: World) -> None:
    for number in range(1, 8):
        await ada.log_in("000000")
        await forget_the_waits(world)
        guards = [row["failures"] for row in await world.fetch("SELECT failures FROM auth.login_guard")]
        assert sorted(guards) == [0, number, number], "the address's and that of the codes: the password was right"


async def test_neither_a_mail_nor_a_new_password_makes_guessing_free_again(ada: Guarded, world: World) -> None:
    for _ in range(10):
        await ada.log_in("000000")
        await forget_the_waits(world)
    await ada.client.post("/v1/auth/password-reset", json={"email": "ada@example.com"})
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)
    wanted = {"token": ticket(mail), "new_password": PASSWORD}
    (await ada.client.put("/v1/auth/password-reset", json=wanted)).raise_for_status()

    answer = await ada.log_in("000000")

    assert answer.status_code == 429


async def test_a_complete_login_forgives_what_failed_before(ada: Guarded, world: World) -> None:
    for _ in range(3):
        await ada.log_in("000000")

    assert (await ada.log_in()).status_code == 200
    assert (await world.fetch("SELECT sum(failures) FROM auth.login_guard WHERE failures < 100"))[0][0] == 3, (
        "the address alone remembers"
    )


async def test_only_a_right_password_tells_that_there_is_a_second_factor(ada: Guarded, client: AsyncClient) -> None:
    await a_person(client, email="eve@example.com")

    answers = [
        await log_in(client, email=f"{name}@example.com", password="not it") for name in ("ada", "eve", "nobody")
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


async def test_a_password_reset_leaves_the_second_factor_on_and_ends_open_challenges(
    ada: Guarded, world: World
) -> None:
    challenge = await ada.challenge()
    await ada.client.post("/v1/auth/password-reset", json={"email": "ada@example.com"})
    await world.settled("auth")
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)
    wanted = {"token": ticket(mail), "new_password": "a whole new battery of staples"}
    (await ada.client.put("/v1/auth/password-reset", json=wanted)).raise_for_status()

    assert (await ada.show(challenge, ada.app.code())).status_code == 401
    assert (await log_in(ada.client, password="a whole new battery of staples")).status_code == 202


async def test_a_person_sees_that_somebody_had_their_password(ada: Guarded) -> None:
    await ada.log_in("000000")
    session = (await ada.log_in()).json()

    logins = (await ada.client.get("/v1/me/logins", headers=bearer(session["access_token"]))).json()["items"]

    assert [login["result"] for login in logins[:2]] == ["SUCCEEDED", "WRONG_FACTOR"]


async def test_secrets_and_codes_are_nowhere_in_the_open(ada: Guarded, world: World) -> None:
    challenge = await ada.challenge()
    shown = [ada.app.secret, base64.b32encode(ada.app.secret), challenge.partition(".")[2].encode()]
    shown += [code.replace("-", "").encode() for code in ada.app.recovery_codes]

    kept = b""
    for table in ("totp", "recovery_code", "login_challenge", "outbox", "event_log"):
        kept += b"".join(str(list(row.values())).encode() for row in await world.fetch(f"SELECT * FROM auth.{table}"))
        kept += b"".join(
            value
            for row in await world.fetch(f"SELECT * FROM auth.{table}")
            for value in row.values()
            if isinstance(value, bytes)
        )

    assert [one for one in shown if one in kept] == []


async def test_a_deactivated_person_completes_nothing(ada: Guarded, world: World) -> None:
    challenge = await ada.challenge()
    await world.fetch('UPDATE auth."user" SET is_active = false')

    assert (await ada.show(challenge, ada.app.code())).status_code == 401


async def test_the_password_is_needed(ada: Guarded) -> None:
    assert (await log_in(ada.client, password=PASSWORD + "!")).status_code == 401
