"""Who may do what? Each role is a named set of scopes, and may give some roles to others, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class PlatformRole(StrEnum):
    """What a user is to the whole installation."""

    USER = "USER"
    MODERATOR = "MODERATOR"
    SALES = "SALES"
    SUPPORT = "SUPPORT"
    RESELLER = "RESELLER"
    ADMIN = "ADMIN"
    SUPER_ADMIN = "SUPER_ADMIN"


class Role(StrEnum):
    """What a user is in one workspace; each may do all that the one before may."""

    VIEWER = "VIEWER"
    ANALYST = "ANALYST"
    TRADER = "TRADER"
    OWNER = "OWNER"


_VIEWER = frozenset({
    "marketdata:read", "strategies:read", "signals:read", "orders:read", "accounts:read", "portfolio:read",
    "billing:read", "notifications:read", "devices:approve",
})  # fmt: skip
_ANALYST = _VIEWER | {"strategies:write", "notifications:write"}
_TRADER = _ANALYST | {"orders:write", "accounts:write"}
# Market data belongs to every workspace, so that no single one may write it; who somebody is, nobody says of themselves.
_ADMIN = frozenset({"marketdata:write", "kyc:decide"})

SCOPES_OF_ROLE: Mapping[Role | PlatformRole, frozenset[str]] = MappingProxyType({
    Role.VIEWER: _VIEWER,
    Role.ANALYST: _ANALYST,
    Role.TRADER: _TRADER,
    Role.OWNER: _TRADER | {"billing:write", "audit:read"},
    PlatformRole.USER: frozenset(),
    PlatformRole.MODERATOR: frozenset(),
    PlatformRole.SALES: frozenset(),
    PlatformRole.SUPPORT: frozenset(),
    PlatformRole.RESELLER: frozenset(),
    PlatformRole.ADMIN: _ADMIN,
    PlatformRole.SUPER_ADMIN: _ADMIN,
})  # fmt: skip

_BELOW_ADMIN = frozenset(PlatformRole) - {PlatformRole.ADMIN, PlatformRole.SUPER_ADMIN}

MAY_GRANT: Mapping[PlatformRole, frozenset[PlatformRole]] = MappingProxyType(
    {role: frozenset[PlatformRole]() for role in PlatformRole}
    | {PlatformRole.ADMIN: _BELOW_ADMIN, PlatformRole.SUPER_ADMIN: frozenset(PlatformRole)}
)
"""Which roles each role may give, and take from those who have them; nobody gives one to themselves."""

STAFF = frozenset(PlatformRole) - {PlatformRole.USER}
"""Whoever may see or change what is others': their role counts in sessions with a second factor alone."""


def one_of(column: str, words: type[StrEnum]) -> str:
    """The condition of a check constraint: the column holds one of the enumeration's words."""
    return f"{column} IN ({', '.join(repr(str(word)) for word in words)})"
