"""What may staff do to whom? Nobody acts on themselves, nor on somebody whose role they could not take away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from libs.kit.errors import Conflict, Forbidden, Rejected
from services.auth.model.roles import MAY_GRANT, STAFF, PlatformRole
from services.auth.model.user import User


def may_act_on(by: PlatformRole, whom: PlatformRole) -> bool:
    """Whether somebody of one role may do what their scopes allow to somebody of another.

    To customers all staff may; to others those alone who may take their role.
    """
    return by in STAFF and (whom is PlatformRole.USER or whom in MAY_GRANT[by])


def hindrance(by: User | None, whom: User) -> Rejected | None:
    """Why somebody of the staff may not change an account; None when they may. Their scopes are the caller's matter."""
    if by is not None and by.id == whom.id:
        return Forbidden("nobody does this to their own account", slug="own-account")
    if (
        by is None
        or not by.is_present
        or not may_act_on(PlatformRole(by.platform_role), PlatformRole(whom.platform_role))
    ):
        return Forbidden("this account is not for your role to change", slug="role-too-low")
    return None


def hindrance_to_role(by: User | None, whom: User, role: PlatformRole) -> Rejected | None:
    """Why somebody may not give a role to somebody, or not take theirs; None when they may."""
    found = hindrance(by, whom)
    if found is None and by is not None and role not in MAY_GRANT[PlatformRole(by.platform_role)]:
        return Forbidden(f"the role {role} is not yours to give", slug="role-too-low")
    return found


def hindrance_by_office(whom: User, super_admins: Iterable[User], at: datetime) -> Rejected | None:
    """Why somebody can't stop being a super admin who can act; None when another one remains, or they are none."""
    if not _in_office(whom, at) or any(_in_office(one, at) for one in super_admins if one.id != whom.id):
        return None
    return Conflict("this is the last super admin who can act", slug="last-super-admin")


def _in_office(user: User, at: datetime) -> bool:
    # Locks that guesses cause are nobody's decision, and over in minutes.
    return user.platform_role == PlatformRole.SUPER_ADMIN and user.is_present and not user.is_held(at)
