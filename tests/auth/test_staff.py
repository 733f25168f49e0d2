"""Staff's hand on accounts: what they do takes effect, is told, and is in the trail of whom it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from libs.kit.ids import uuid7
from libs.schema.audit import SecurityActed
from libs.schema.auth import (
    LockReason,
    MailTemplate,
    RoleChanged,
    SessionEnd,
    SessionRevoked,
    UserDeactivated,
    UserDeleted,
    UserLocked,
    UserReactivated,
    UserRestored,
    UserUnlocked,
)
from services.auth.model import PlatformRole
from tests.auth.builders import EMAIL, Person, a_person, log_in, mails, refresh, ticket
from tests.auth.colleagues import act, give, in_office, staff
from tests.second_factor import asking, enrol
from tests.world import Running, World, eventually

NEW = "nine purple llamas sing at dawn"
ALL_ACTS = ("lock", "unlock", "deactivate", "reactivate", "delete", "restore", "role")
ACTS_IN_THE_TRAIL = (
    "user.locked", "user.unlocked", "user.deactivated", "user.reactivated", "user.deleted", "user.restored",
    "role.changed",
)  # fmt: skip


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    """A customer."""
    return await a_person(client)


@pytest.fixture
async def admin(client: AsyncClient, auth: Running) -> Person:
    return await staff(client, auth, name="admin")


@pytest.fixture
async def helper(client: AsyncClient, auth: Running) -> Person:
    """Somebody of support."""
    return await staff(client, auth, PlatformRole.SUPPORT, name="helper")


def reason(answer: Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json()["type"]).rpartition(":")[2]


def body_of(what: str, role: str) -> dict[str, str]:
    return {"role": role} if what == "role" else {}


async def state_of(client: AsyncClient, by: Person, about: Person) -> str:
    return str((await client.get(f"/v1/users/{about.user_id}", headers=by.bearer)).json()["state"])


async def is_refused(client: AsyncClient, person: Person) -> None:
    """Wait until a person's token opens nothing."""

    async def refused() -> None:
        assert (await client.get("/v1/me", headers=person.bearer)).status_code == 401

    await eventually(refused)


async def acts_on(world: World, about: Person, name: str) -> list[SecurityActed]:
    """What is told of an account, in the order in which it was done."""
    await world.settled("auth")
    told = [one.event for one in world.published(SecurityActed)]
    return [one for one in told if (one.target_id, one.act) == (about.user_id, name)]


async def test_support_locks_an_account_and_its_sessions_end(
    client: AsyncClient, world: World, ada: Person, helper: Person
) -> None:
    answer = await act(client, helper, ada.user_id, "lock", hours=2, reason="ticket 4711")

    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["state"], shown["lock_reason"]) == ("LOCKED", "SUPPORT")
    left = datetime.fromisoformat(shown["locked_until"]) - datetime.now(UTC)
    assert timedelta(hours=1, minutes=59) < left < timedelta(hours=2)
    assert (await log_in(client)).status_code == 401
    assert (await refresh(client, ada.refresh_token)).status_code == 401
    await is_refused(client, ada)
    (told,) = await world.expect(UserLocked, 1)
    assert told.event.reason is LockReason.SUPPORT
    (mail,) = await mails(world, MailTemplate.ACCOUNT_LOCKED_BY_SUPPORT)
    assert mail.address == EMAIL
    [done] = await acts_on(world, ada, "user.locked")
    assert (done.actor_kind, str(done.actor_id), done.reason) == ("STAFF", helper.user_id, "ticket 4711")
    assert str(done.workspace_id) == ada.workspace_id
    revoked = [one.event for one in world.published(SecurityActed) if one.event.act == "session.revoked"]
    assert [(one.actor_kind, str(one.actor_id)) for one in revoked if one.target_id == ada.session_id] == [
        ("STAFF", helper.user_id)
    ]


async def test_a_lock_of_support_ends_by_time(client: AsyncClient, world: World, ada: Person, helper: Person) -> None:
    await act(client, helper, ada.user_id, "lock")
    await world.fetch("UPDATE auth.\"user\" SET locked_until = now() - interval '1 second' WHERE email = $1", EMAIL)

    assert (await log_in(client)).status_code == 200
    assert await state_of(client, helper, ada) == "ACTIVE"


async def test_support_unlocks_whom_guesses_locked(
    client: AsyncClient, world: World, ada: Person, helper: Person
) -> None:
    for _ in range(10):
        await log_in(client, password="not the password")
        await world.fetch("UPDATE auth.login_guard SET last_failed_at = last_failed_at - interval '10 minutes'")
    assert await state_of(client, helper, ada) == "LOCKED"

    assert (await act(client, helper, ada.user_id, "unlock")).json()["state"] == "ACTIVE"

    assert (await log_in(client)).status_code == 200
    await world.expect(UserUnlocked, 1)
    [done] = await acts_on(world, ada, "user.unlocked")
    assert (done.actor_kind, str(done.actor_id)) == ("STAFF", helper.user_id)


async def test_a_mail_does_not_open_what_support_locked(
    client: AsyncClient, world: World, auth: Running, ada: Person, helper: Person
) -> None:
    for _ in range(10):
        await log_in(client, password="not the password")
        await world.fetch("UPDATE auth.login_guard SET last_failed_at = last_failed_at - interval '10 minutes'")
    (mail,) = await mails(world, MailTemplate.ACCOUNT_LOCKED)
    await act(client, helper, ada.user_id, "lock")

    answer = await client.post("/v1/auth/unlock", json={"token": ticket(mail)})

    assert reason(answer) == (422, "token-spent")
    assert await state_of(client, helper, ada) == "LOCKED"
    assert [one.result for one in await acts_on(world, ada, "user.unlocked")] == ["REFUSED"]


async def test_another_password_does_not_open_what_support_locked(
    client: AsyncClient, world: World, ada: Person, helper: Person
) -> None:
    await act(client, helper, ada.user_id, "lock")
    await client.post("/v1/auth/password-reset", json={"email": EMAIL})
    (mail,) = await mails(world, MailTemplate.RESET_PASSWORD)

    answer = await client.put("/v1/auth/password-reset", json={"token": ticket(mail), "new_password": NEW})

    assert answer.status_code == 204, answer.text
    assert (await log_in(client, password=NEW)).status_code == 401
    assert await state_of(client, helper, ada) == "LOCKED"
    await act(client, helper, ada.user_id, "unlock")
    assert (await log_in(client, password=NEW)).status_code == 200


WITHOUT_SENSE: list[tuple[dict[str, object], str]] = [
    ({"hours": None}, "/hours"),
    ({"until": "2999-01-01T00:00:00Z"}, "/hours"),
    ({"hours": 0}, "/hours"),
    ({"hours": 8761}, "/hours"),
    ({"hours": "1"}, "/hours"),
    ({"hours": None, "until": "2001-01-01T00:00:00Z"}, "/until"),
    ({"hours": None, "until": "2999-01-01"}, "/until"),
    ({"reason": ""}, "/reason"),
    ({"reason": "two\nlines"}, "/reason"),
    ({"reason": "x" * 301}, "/reason"),
    ({"note": "x"}, "/note"),
]


async def test_a_lock_without_sense_is_refused_with_its_field(client: AsyncClient, ada: Person, helper: Person) -> None:
    answers = [await act(client, helper, ada.user_id, "lock", **body) for body, _ in WITHOUT_SENSE]

    assert {answer.status_code for answer in answers} == {422}
    named = [[error["pointer"] for error in answer.json()["errors"]] for answer in answers]
    assert named == [[pointer] for _, pointer in WITHOUT_SENSE]


async def test_a_deactivated_person_is_out_until_they_are_reactivated(
    client: AsyncClient, world: World, ada: Person, admin: Person
) -> None:
    assert (await act(client, admin, ada.user_id, "deactivate")).json()["state"] == "DEACTIVATED"
    assert (await log_in(client)).status_code == 401
    await is_refused(client, ada)
    ended = [one.event for one in await world.expect(SessionRevoked, 2) if str(one.event.user_id) == ada.user_id]
    assert [one.reason for one in ended] == [SessionEnd.ACCOUNT_CLOSED]

    assert (await act(client, admin, ada.user_id, "reactivate")).json()["state"] == "ACTIVE"

    assert (await log_in(client)).status_code == 200
    await world.expect(UserDeactivated, 1)
    await world.expect(UserReactivated, 1)


async def test_a_deleted_person_is_out_of_sight_until_they_are_restored(
    client: AsyncClient, world: World, ada: Person, admin: Person
) -> None:
    assert (await act(client, admin, ada.user_id, "delete")).status_code == 204
    assert (await log_in(client)).status_code == 401
    await is_refused(client, ada)
    assert await state_of(client, admin, ada) == "DELETED"

    assert (await act(client, admin, ada.user_id, "restore")).json()["state"] == "ACTIVE"

    assert (await log_in(client)).status_code == 200
    await world.expect(UserDeleted, 1)
    await world.expect(UserRestored, 1)


async def test_what_is_done_twice_is_told_once(client: AsyncClient, world: World, ada: Person, admin: Person) -> None:
    answers = [await act(client, admin, ada.user_id, "deactivate") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    await world.settled("auth")
    await world.expect(UserDeactivated, 1)
    assert len(await acts_on(world, ada, "user.deactivated")) == 1


async def test_a_new_role_ends_every_session_and_counts_from_the_next_login_on(
    client: AsyncClient, world: World, ada: Person, admin: Person
) -> None:
    answer = await act(client, admin, ada.user_id, "role", role="SUPPORT")

    assert answer.status_code == 200, answer.text
    assert answer.json()["platform_role"] == "SUPPORT"
    assert (await refresh(client, ada.refresh_token)).status_code == 401
    await is_refused(client, ada)
    told = [one.event for one in await world.expect(RoleChanged, 2) if str(one.event.user_id) == ada.user_id]
    assert [(one.previous_role, one.platform_role) for one in told] == [("USER", "SUPPORT")]
    await mails(world, MailTemplate.ROLE_CHANGED, 2)
    [done] = await acts_on(world, ada, "role.changed")
    assert (done.actor_kind, str(done.actor_id), done.reason) == ("STAFF", admin.user_id, "USER to SUPPORT")
    again = await in_office(client, ada.user_id, EMAIL)
    assert (await client.get("/v1/users", headers=again.bearer)).status_code == 200


async def test_a_lowered_role_opens_nothing_any_more(
    client: AsyncClient, auth: Running, ada: Person, admin: Person
) -> None:
    chief = await staff(client, auth, PlatformRole.SUPER_ADMIN, name="chief")

    await act(client, chief, admin.user_id, "role", role="USER")

    # At once, whether or not the event that ends the token has gone round.
    assert (await act(client, admin, ada.user_id, "lock")).status_code in {401, 403}
    await is_refused(client, admin)
    assert (await refresh(client, admin.refresh_token)).status_code == 401


async def test_giving_a_role_takes_a_recent_login(
    client: AsyncClient, world: World, ada: Person, admin: Person
) -> None:
    await world.fetch("UPDATE auth.session SET authenticated_at = now() - interval '16 minutes'")
    older = (await refresh(client, admin.refresh_token)).json()["access_token"]

    answer = await client.put(
        f"/v1/users/{ada.user_id}/role", json={"role": "SUPPORT"}, headers={"Authorization": f"Bearer {older}"}
    )

    assert reason(answer) == (401, "step-up-required")


async def test_nobody_acts_on_their_own_account(client: AsyncClient, world: World, auth: Running) -> None:
    chief = await staff(client, auth, PlatformRole.SUPER_ADMIN, name="chief")
    await staff(client, auth, PlatformRole.SUPER_ADMIN, name="deputy")

    answers = [await act(client, chief, chief.user_id, what, **body_of(what, "ADMIN")) for what in ALL_ACTS]

    assert [reason(answer) for answer in answers] == [(403, "own-account")] * len(ALL_ACTS)
    [row] = await world.fetch('SELECT * FROM auth."user" WHERE id = $1', UUID(chief.user_id))
    assert (row["platform_role"], row["is_active"], row["deleted_at"], row["locked_until"]) == (
        "SUPER_ADMIN", True, None, None,
    )  # fmt: skip


async def test_no_one_raises_themselves(client: AsyncClient, world: World, admin: Person) -> None:
    answer = await act(client, admin, admin.user_id, "role", role="SUPER_ADMIN")

    assert reason(answer) == (403, "own-account")
    [tried] = [one for one in await acts_on(world, admin, "role.changed") if one.actor_kind == "STAFF"]
    assert (str(tried.actor_id), tried.result) == (admin.user_id, "REFUSED")


async def test_an_admin_does_nothing_to_a_super_admin_and_every_try_is_in_the_trail(
    client: AsyncClient, world: World, auth: Running, admin: Person
) -> None:
    chief = await staff(client, auth, PlatformRole.SUPER_ADMIN, name="chief")
    await staff(client, auth, PlatformRole.SUPER_ADMIN, name="deputy")

    answers = [await act(client, admin, chief.user_id, what, **body_of(what, "USER")) for what in ALL_ACTS]

    assert [reason(answer) for answer in answers] == [(403, "role-too-low")] * len(ALL_ACTS)
    assert (await log_in(client, email="chief@example.com")).status_code == 202
    await world.settled("auth")
    told = [one.event for one in world.published(SecurityActed) if one.event.actor_id == UUID(admin.user_id)]
    tries = [(one.act, one.result) for one in told if one.target_id == chief.user_id]
    assert tries == [(name, "REFUSED") for name in ACTS_IN_THE_TRAIL]


async def test_an_admin_makes_nobody_an_admin(client: AsyncClient, ada: Person, admin: Person) -> None:
    answers = [await act(client, admin, ada.user_id, "role", role=role) for role in ("ADMIN", "SUPER_ADMIN")]

    assert [reason(answer) for answer in answers] == [(403, "role-too-low")] * 2


async def test_support_locks_no_colleague(client: AsyncClient, auth: Running, helper: Person, admin: Person) -> None:
    seller = await staff(client, auth, PlatformRole.SALES, name="seller")

    answers = [await act(client, helper, one.user_id, "lock") for one in (admin, seller)]

    assert [reason(answer) for answer in answers] == [(403, "role-too-low")] * 2


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (PlatformRole.USER, set()),
        (PlatformRole.RESELLER, set()),
        (PlatformRole.SALES, {"read"}),
        (PlatformRole.MODERATOR, {"read", "lock", "unlock"}),
        (PlatformRole.SUPPORT, {"read", "lock", "unlock"}),
        (PlatformRole.ADMIN, {"read", *ALL_ACTS}),
        (PlatformRole.SUPER_ADMIN, {"read", *ALL_ACTS}),
    ],
)
async def test_each_role_opens_its_part_of_the_desk(
    client: AsyncClient, auth: Running, ada: Person, role: PlatformRole, allowed: set[str]
) -> None:
    colleague = await staff(client, auth, role)

    answers = {"read": await client.get(f"/v1/users/{ada.user_id}", headers=colleague.bearer)}
    for what in ALL_ACTS:
        answers[what] = await act(client, colleague, ada.user_id, what, **body_of(what, "USER"))

    assert {what for what, answer in answers.items() if answer.is_success} == allowed
    assert {reason(answer) for what, answer in answers.items() if what not in allowed} <= {(403, "missing-scope")}


async def test_nobody_is_not_found(client: AsyncClient, admin: Person) -> None:
    answers = [await act(client, admin, str(uuid7()), what, **body_of(what, "USER")) for what in ALL_ACTS]

    assert [reason(answer) for answer in answers] == [(404, "not-found")] * len(ALL_ACTS)


async def test_what_an_operator_gives_ends_sessions_and_is_told(
    client: AsyncClient, world: World, auth: Running, ada: Person
) -> None:
    await give(auth, EMAIL, PlatformRole.RESELLER)

    await is_refused(client, ada)
    await world.expect(RoleChanged, 1)
    [done] = await acts_on(world, ada, "role.changed")
    assert (done.actor_kind, done.actor_id, done.reason) == ("SYSTEM", None, "USER to RESELLER")


async def test_staff_let_somebody_in_who_lost_their_second_factor(
    client: AsyncClient, world: World, ada: Person, admin: Person
) -> None:
    await enrol(asking(client), ada.access_token)
    assert (await log_in(client)).status_code == 202

    answer = await client.delete(f"/v1/users/{ada.user_id}/second-factors", headers=admin.bearer)

    assert answer.status_code == 200, answer.text
    await is_refused(client, ada)
    assert (await log_in(client)).status_code == 200
    [done] = await acts_on(world, ada, "second_factors.removed")
    assert (done.actor_kind, str(done.actor_id)) == ("STAFF", admin.user_id)
    assert len(await mails(world, MailTemplate.SECOND_FACTOR_CHANGED, 3)) == 3


async def test_nobody_takes_the_second_factors_of_a_colleague_above_them(
    client: AsyncClient, auth: Running, admin: Person
) -> None:
    chief = await staff(client, auth, PlatformRole.SUPER_ADMIN, name="chief")

    refused = await client.delete(f"/v1/users/{chief.user_id}/second-factors", headers=admin.bearer)

    assert refused.status_code == 403
    assert (await log_in(client, email="chief@example.com")).status_code == 202
