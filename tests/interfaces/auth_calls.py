"""What is a valid request to a route of auth, and what has to be there before it is sent? Made by the API alone."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from libs.kit.ids import uuid7
from tests.auth.authenticator import ES256, Authenticator
from tests.auth.authenticator import a_key as a_key_pair
from tests.auth.builders import Person as Session
from tests.auth.builders import bearer
from tests.interfaces.people import Call, Person
from tests.second_factor import App, enrol
from tests.world import eventually

Maker = Callable[[Person], Awaitable[Call]]

_numbers = count(1)
_ROOM_FOR_KEYS = 6
_A_PASSPORT = {"kind": "PASSPORT", "reference": "vault:documents/1"}


async def a_registration(_person: Person) -> Call:
    return Call({"email": f"new{next(_numbers)}@example.com", "password": "a password of somebody new"})


async def a_login(person: Person) -> Call:
    return Call({"email": person.email, "password": person.password})


async def a_refresh_token(person: Person) -> Call:
    return Call({"refresh_token": (await person.log_in()).refresh_token})


async def a_mailed_proof(person: Person) -> Call:
    return Call({"token": await person.mailbox(person, "VERIFY_EMAIL")})


async def a_mailed_key(person: Person) -> Call:
    return Call({"token": await person.mailbox(person, "UNLOCK")})


async def a_forgotten_password(_person: Person) -> Call:
    """Of nobody: a mail to somebody takes the place of the one that another call holds."""
    return Call({"email": f"nobody{next(_numbers)}@example.com"})


async def a_mailed_reset(person: Person) -> Call:
    """To the same password, so that everybody can go on with it."""
    return Call({"token": await person.mailbox(person, "RESET_PASSWORD"), "new_password": person.password})


async def a_password_to_change(person: Person) -> Call:
    return Call({"current_password": person.password, "new_password": person.password})


async def something_to_say(_person: Person) -> Call:
    return Call({"first_name": f"Name {next(_numbers)}"})


async def a_session(person: Person) -> Call:
    return Call(path={"session_id": (await person.log_in()).session_id})


async def a_refresh_grant(person: Person) -> Call:
    return Call({"grant_type": "refresh_token", "refresh_token": (await person.log_in()).refresh_token})


async def a_token_to_revoke(person: Person) -> Call:
    return Call({"token": (await person.log_in()).refresh_token})


async def a_device(_person: Person) -> Call:
    return Call({"client_id": "fillstream-cli"})


async def _a_shown_code(person: Person) -> str:
    return str((await person.made("POST /v1/auth/device", await a_device(person)))["user_code"])


async def a_code_to_look_at(person: Person) -> Call:
    return Call(query={"user_code": await _a_shown_code(person)})


async def a_code_to_approve(person: Person) -> Call:
    return Call({"user_code": await _a_shown_code(person), "decision": "APPROVE"})


async def a_switch(person: Person) -> Call:
    """To where they are already."""
    session = await person.log_in()
    return Call({"refresh_token": session.refresh_token, "workspace_id": session.workspace_id})


async def a_new_workspace(_person: Person) -> Call:
    return Call({"name": f"workspace {next(_numbers)}"})


async def _newcomer(person: Person) -> Person:
    """Somebody else, who has just registered and proved their address."""
    email, password = f"newcomer{next(_numbers)}@example.com", "a password of a newcomer"
    known = Call({"email": email, "password": password})
    made = (await person.send("POST /v1/auth/register", known, {})).raise_for_status().json()
    session = Session(made["user_id"], made["workspace_id"], "", "")
    other = replace(person, email=email, password=password, session=session, forge=None)
    proof = Call({"token": await other.mailbox(other, "VERIFY_EMAIL"), "password": password})
    (await person.send("POST /v1/auth/email-verification", proof, {})).raise_for_status()
    return replace(other, session=await other.log_in())


def _home(person: Person) -> dict[str, str]:
    return {"workspace_id": person.session.workspace_id}


async def a_workspace(person: Person) -> Call:
    return Call(path=_home(person))


async def a_workspace_to_rename(person: Person) -> Call:
    return Call({"name": f"renamed {next(_numbers)}"}, path=_home(person))


async def _invite(host: Person, email: str) -> str:
    wanted = Call({"email": email, "role": "TRADER"}, path=_home(host))
    sent = await host.made("POST /v1/workspaces/{workspace_id}/invitations", wanted)
    return str(sent["id"])


async def _a_member(person: Person) -> dict[str, str]:
    """Somebody else, who joined the person's workspace."""
    other = await _newcomer(person)
    await _invite(person, other.email)
    await other.made("POST /v1/invitations/accept", Call({"token": await other.mailbox(other, "INVITATION")}))
    return {"user_id": other.session.user_id}


async def a_member(person: Person) -> Call:
    return Call(path=_home(person) | await _a_member(person))


async def a_member_to_change(person: Person) -> Call:
    return Call({"role": "ANALYST"}, path=_home(person) | await _a_member(person))


async def an_heir(person: Person) -> Call:
    """To a workspace that nobody can inherit."""
    return Call(await _a_member(person), path=_home(person))


async def somebody_to_invite(person: Person) -> Call:
    return Call({"email": f"invited{next(_numbers)}@example.com", "role": "VIEWER"}, path=_home(person))


async def an_invitation_to_revoke(person: Person) -> Call:
    invitation_id = await _invite(person, f"invited{next(_numbers)}@example.com")
    return Call(path=_home(person) | {"invitation_id": invitation_id})


async def an_invitation_to_accept(person: Person) -> Call:
    host = await _newcomer(person)
    await _invite(host, person.email)
    return Call({"token": await person.mailbox(person, "INVITATION")})


async def an_invitation_to_decline(person: Person) -> Call:
    host = await _newcomer(person)
    return Call(path={"invitation_id": await _invite(host, person.email)})


async def an_offered_app(person: Person) -> Call:
    """The code that confirms an application."""
    secret = base64.b32decode((await person.made("POST /v1/me/totp", Call()))["secret"])
    return Call({"code": App(secret).code_of(0)})


async def an_app(person: Person) -> Call:
    """Nothing is said of an application that was set up just now."""
    await enrol(person.ask, person.everything)
    return Call()


async def a_second_factor(person: Person) -> Call:
    """A login that waits, and the code that it waits for."""
    app = await enrol(person.ask, person.everything)
    known = Call({"email": person.email, "password": person.password})
    waiting = (await person.send("POST /v1/auth/login", known, {})).raise_for_status().json()
    return Call({"challenge": waiting["challenge"], "code": app.code()})


async def a_proof(person: Person) -> Call:
    """The password, and a code: some other call may have set up a second factor."""
    session = await person.log_in()
    app = await enrol(person.ask, person.everything)
    return Call({"refresh_token": session.refresh_token, "password": person.password, "code": app.code()})


async def a_new_passkey(person: Person) -> Call:
    return (await _a_made_passkey(person))[1]


async def _a_made_passkey(person: Person) -> tuple[Authenticator, Call]:
    # One person may have only so many.
    for one in await person.items("/v1/me/passkeys"):
        if one["name"].startswith("passkey "):
            gone = Call(path={"passkey_id": one["id"]})
            await person.send("DELETE /v1/me/passkeys/{passkey_id}", gone, bearer(person.everything))
    begun = await person.made("POST /v1/me/passkey-options", Call())
    device = Authenticator(a_key_pair(ES256), origin="http://localhost:8000")
    made = {"challenge": begun["challenge"], "credential": device.create(begun["options"])}
    return device, Call(made | {"name": f"passkey {next(_numbers)}"})


async def a_passkey(person: Person) -> Call:
    _, new = await _a_made_passkey(person)
    return Call(path={"passkey_id": (await person.made("POST /v1/me/passkeys", new))["id"]})


async def a_passkey_to_rename(person: Person) -> Call:
    return Call({"name": f"renamed {next(_numbers)}"}, path=(await a_passkey(person)).path)


async def nobodys_login(_person: Person) -> Call:
    """Whose login it is, only the passkey says."""
    return Call({})


async def a_passkeys_answer(person: Person) -> Call:
    device, new = await _a_made_passkey(person)
    await person.made("POST /v1/me/passkeys", new)
    asked = (await person.send("POST /v1/auth/passkeys/options", Call({}), {})).raise_for_status().json()
    return Call({"challenge": asked["challenge"], "credential": device.get(asked["options"])})


async def a_new_key(person: Person) -> Call:
    # A person may have only so many: the newest make room.
    for known in (await person.items("/v1/api-keys"))[_ROOM_FOR_KEYS:]:
        await person.made("DELETE /v1/api-keys/{key_id}", Call(path={"key_id": known["id"]}))
    ends = datetime.now(UTC) + timedelta(days=30)
    return Call({"name": f"program {next(_numbers)}", "scopes": ["orders:read"], "expires_at": ends.isoformat()})


async def a_key(person: Person) -> Call:
    made = await person.made("POST /v1/api-keys", await a_new_key(person))
    return Call(path={"key_id": made["key"]["id"]})


async def nothing_but_a_key(person: Person) -> Call:
    """There is one to be listed."""
    await a_key(person)
    return Call()


async def a_key_to_rename(person: Person) -> Call:
    return Call({"name": f"renamed {next(_numbers)}"}, path=(await a_key(person)).path)


async def a_key_to_rotate(person: Person) -> Call:
    return Call({"overlap_seconds": 60}, path=(await a_key(person)).path)


async def a_change_of_profile(_person: Person) -> Call:
    income = {"amount": "75000.00", "currency": "USD"}
    return Call({"zip_code": f"{next(_numbers):06}", "annual_income": income, "max_daily_loss": income})


async def a_submission(person: Person) -> Call:
    """Of somebody whose national identifier is a new one: nothing of theirs waits or is verified."""
    await person.made("PATCH /v1/profile", Call({"pan_number": f"ABCPK{next(_numbers):04}F"}))
    return Call({"documents": [_A_PASSPORT]})


async def an_applicant(person: Person) -> Call:
    """Somebody else, who has registered only to hand in a passport."""
    known = Call({"email": f"applicant{next(_numbers)}@example.com", "password": "a password of an applicant"})
    made = (await person.send("POST /v1/auth/register", known, {})).raise_for_status().json()
    session = (await person.send("POST /v1/auth/login", known, {})).raise_for_status().json()
    handed_in = Call({"documents": [_A_PASSPORT]})
    (await person.send("POST /v1/kyc/submission", handed_in, bearer(session["access_token"]))).raise_for_status()
    return Call(path={"user_id": made["user_id"]})


async def a_decision(person: Person) -> Call:
    return Call({"submission": 1, "decision": "VERIFIED"}, path=(await an_applicant(person)).path)


async def somebody(person: Person) -> Call:
    """A customer who has only registered, so that nobody else's things are in the way."""
    known = Call({"email": f"somebody{next(_numbers)}@example.com", "password": "a password of a customer"})
    made = (await person.send("POST /v1/auth/register", known, {})).raise_for_status().json()
    return Call(path={"user_id": made["user_id"]})


async def an_account_to_find(person: Person) -> Call:
    return Call(query={"q": (await somebody(person)).path["user_id"]})


async def somebody_to_lock(person: Person) -> Call:
    return Call({"hours": 1, "reason": "reported as stolen"}, path=(await somebody(person)).path)


async def somebody_to_raise(person: Person) -> Call:
    """By whoever may give the role, which a token does not say: callers are super admins."""
    return Call({"role": "MODERATOR"}, path=(await somebody(person)).path)


async def a_step_to_complete(_person: Person) -> Call:
    return Call(path={"step": "first_account"})


async def a_step_to_skip(person: Person) -> Call:
    # Other calls have done it.
    await person.begin_anew(person)
    return Call(path={"step": "second_factor"})


async def a_new_support_grant(_person: Person) -> Call:
    soon = datetime.now(UTC) + timedelta(hours=1)
    return Call({"reason": f"reason {next(_numbers)}", "expires_at": soon.isoformat()})


async def a_support_grant(person: Person) -> Call:
    made = await person.made("POST /v1/support-grants", await a_new_support_grant(person))
    return Call(path={"grant_id": made["id"]})


async def of_a_support_grant(person: Person) -> Call:
    """There is one; nothing names it."""
    await a_support_grant(person)
    return Call()


async def an_open_workspace(person: Person) -> Call:
    """Of somebody else, who has registered only to let support in: whoever calls has to be support."""
    owner = await _newcomer(person)
    granted = await a_new_support_grant(person)
    granted = Call({**(granted.body or {}), "staff_id": person.session.user_id})
    (await person.send("POST /v1/support-grants", granted, owner.session.bearer)).raise_for_status()
    return Call({}, path={"workspace_id": owner.session.workspace_id})


async def of_an_open_workspace(person: Person) -> Call:
    """There is one; nothing names it."""
    await an_open_workspace(person)
    return Call()


async def a_referral_code(person: Person) -> Call:
    """Of nobody for whoever may give none."""
    answer = await person.send("POST /v1/referral-codes", Call(), bearer(person.everything))
    return Call(path={"code_id": answer.json()["id"] if answer.is_success else str(uuid7())})


async def of_a_referral_code(person: Person) -> Call:
    """There is one; nothing names it."""
    await a_referral_code(person)
    return Call()


async def after_an_export(person: Person) -> Call:
    await an_export(person)
    return Call()


async def an_export(person: Person) -> Call:
    """One that can be downloaded."""

    async def ready() -> str:
        found = [one["id"] for one in await person.items("/v1/me/exports") if one["state"] == "READY"]
        assert found, "no export is ready"
        return str(found[0])

    if not await person.items("/v1/me/exports"):
        await person.made("POST /v1/me/exports", Call())
    return Call(path={"export_id": await eventually(ready)})


async def a_shared_home(person: Person) -> Call:
    """With somebody else in it, so that its owner can't just go."""
    await _a_member(person)
    return Call()


async def a_certificate_to_have(person: Person) -> Call:
    return Call({"token": await person.mailbox(person, "CERTIFICATE")})
