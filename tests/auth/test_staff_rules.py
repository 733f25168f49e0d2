"""Who may do what to whom: over every pair of roles, every state, and every order of locks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.kit.errors import Rejected
from libs.kit.ids import uuid7
from libs.schema.auth import LockReason, PasswordChange, RoleChanged
from services.auth.model import MAY_GRANT, SCOPES_OF_ROLE, AccountState, PlatformRole, User
from services.auth.model.staff import hindrance, hindrance_by_office, hindrance_to_role

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERY = list(PlatformRole)
BELOW = {"USER", "MODERATOR", "SALES", "SUPPORT", "RESELLER"}
GRANTED = {"ADMIN": BELOW, "SUPER_ADMIN": BELOW | {"ADMIN", "SUPER_ADMIN"}}
"""Said once more, apart from the table."""


def a_user(role: PlatformRole = PlatformRole.USER, **changes: object) -> User:
    said = {"id": uuid7(), "default_workspace_id": uuid7(), "platform_role": role, "is_active": True, "version": 0}
    return User(**(said | changes))


def slug(found: Rejected | None) -> str | None:
    return None if found is None else found.slug


def test_every_role_may_grant_what_is_stated() -> None:
    assert {str(role): {str(one) for one in granted} for role, granted in MAY_GRANT.items() if granted} == GRANTED


@pytest.mark.parametrize(("by", "whom"), list(product(EVERY, EVERY)))
def test_staff_act_on_customers_and_on_those_alone_whose_role_they_could_take(
    by: PlatformRole, whom: PlatformRole
) -> None:
    may = by != "USER" and (whom == "USER" or whom in GRANTED.get(by, ()))

    assert slug(hindrance(a_user(by), a_user(whom))) == (None if may else "role-too-low")


@pytest.mark.parametrize(("by", "whom", "role"), list(product(EVERY, EVERY, EVERY)))
def test_a_role_is_given_by_whoever_may_give_both_it_and_the_one_that_it_replaces(
    by: PlatformRole, whom: PlatformRole, role: PlatformRole
) -> None:
    may = role in GRANTED.get(by, ()) and whom in GRANTED.get(by, ())

    assert slug(hindrance_to_role(a_user(by), a_user(whom), role)) == (None if may else "role-too-low")


@pytest.mark.parametrize(("own", "role"), list(product(EVERY, EVERY)))
def test_nobody_does_anything_to_themselves(own: PlatformRole, role: PlatformRole) -> None:
    oneself = a_user(own)

    assert slug(hindrance(oneself, oneself)) == "own-account"
    assert slug(hindrance_to_role(oneself, oneself, role)) == "own-account"


@pytest.mark.parametrize(
    "gone", [None, a_user(PlatformRole.ADMIN, is_active=False), a_user(PlatformRole.ADMIN, deleted_at=NOON)]
)
def test_whoever_is_gone_acts_no_more(gone: User | None) -> None:
    assert slug(hindrance(gone, a_user())) == "role-too-low"


SHUT_OUT = [
    {"is_active": False},
    {"deleted_at": NOON},
    {"locked_until": NOON + HOUR, "lock_reason": "SUPPORT"},
]
STILL_THERE = [
    {},
    {"locked_until": NOON + HOUR, "lock_reason": "FAILED_LOGINS"},
    {"locked_until": NOON - HOUR, "lock_reason": "SUPPORT"},
]


@pytest.mark.parametrize("other", SHUT_OUT)
def test_a_super_admin_who_is_shut_out_is_none_who_remains(other: dict[str, object]) -> None:
    last, gone = a_user(PlatformRole.SUPER_ADMIN), a_user(PlatformRole.SUPER_ADMIN, **other)

    assert slug(hindrance_by_office(last, [last, gone], NOON)) == "last-super-admin"
    assert hindrance_by_office(gone, [last, gone], NOON) is None, "one who is out already can be removed"


@pytest.mark.parametrize("other", STILL_THERE)
def test_a_super_admin_may_go_while_another_one_can_act(other: dict[str, object]) -> None:
    one, another = a_user(PlatformRole.SUPER_ADMIN), a_user(PlatformRole.SUPER_ADMIN, **other)

    assert hindrance_by_office(one, [one, another], NOON) is None


def test_staff_scopes_grow_with_the_role() -> None:
    of = SCOPES_OF_ROLE
    sees, locks = {"users:read"}, {"users:read", "users:lock"}

    assert of[PlatformRole.SALES] >= sees
    assert of[PlatformRole.MODERATOR] == locks < of[PlatformRole.SUPPORT]
    assert of[PlatformRole.ADMIN] == of[PlatformRole.SUPER_ADMIN] >= locks | {"users:write", "roles:write"}
    assert not of[PlatformRole.USER]


Step = tuple[str, int]
_STEPS = st.lists(
    st.tuples(st.sampled_from(["guesses", "support", "mail", "password", "staff", "time"]), st.integers(1, 90)),
    max_size=12,
)


@given(_STEPS)
def test_a_lock_of_support_ends_by_time_or_by_staff_and_by_nothing_else(steps: list[Step]) -> None:
    user, now, held_until = a_user(), NOON, NOON
    for what, minutes in steps:
        until = now + timedelta(minutes=minutes)
        if what == "time":
            now = until
        elif what == "guesses":
            user.lock(until, LockReason.FAILED_LOGINS, now)
        elif what == "support":
            user.lock(until, LockReason.SUPPORT, now)
            held_until = until
        elif what == "mail":
            user.unlock_oneself(now)
        elif what == "password":
            user.change_password("another", PasswordChange.RESET, now)
        else:
            user.unlock(now)
            held_until = now
        assert user.is_held(now) == (now < held_until)
        assert user.may_log_in_by_password(now) <= user.may_be_acted_for(now) == (now >= held_until)


@given(_STEPS)
def test_without_support_a_mail_or_a_password_opens_every_lock(steps: list[Step]) -> None:
    user, now = a_user(), NOON
    for what, minutes in steps:
        if what == "guesses":
            user.lock(now + timedelta(minutes=minutes), LockReason.FAILED_LOGINS, now)
        if what in {"mail", "password"}:
            user.unlock_oneself(now)
            assert user.may_log_in_by_password(now)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, AccountState.ACTIVE),
        ({"locked_until": NOON + HOUR}, AccountState.LOCKED),
        ({"locked_until": NOON}, AccountState.ACTIVE),
        ({"is_active": False, "locked_until": NOON + HOUR}, AccountState.DEACTIVATED),
        ({"deleted_at": NOON, "is_active": False}, AccountState.DELETED),
    ],
)
def test_the_gravest_reason_is_the_state(said: dict[str, object], state: AccountState) -> None:
    assert a_user(**said).state_at(NOON) is state  # type: ignore[arg-type]


def test_a_role_that_somebody_has_already_is_no_news() -> None:
    user = a_user(PlatformRole.SUPPORT)

    assert user.change_role(PlatformRole.SUPPORT, NOON) == []
    [told] = user.change_role(PlatformRole.ADMIN, NOON)
    assert isinstance(told, RoleChanged)
    assert (told.previous_role, told.platform_role) == ("SUPPORT", "ADMIN")
