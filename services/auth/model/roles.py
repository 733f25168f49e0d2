"""Who may do what? Each role is a named set of scopes, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class PlatformRole(StrEnum):
    """What a user is to the whole installation."""

    USER = "USER"
    ADMIN = "ADMIN"


class Role(StrEnum):
    """What a user is in one workspace."""

    OWNER = "OWNER"


SCOPES_OF_ROLE: Mapping[Role | PlatformRole, frozenset[str]] = MappingProxyType({
    Role.OWNER: frozenset({
        "marketdata:read", "strategies:read", "strategies:write", "signals:read", "orders:read", "orders:write",
        "accounts:read", "accounts:write", "portfolio:read", "billing:read", "billing:write", "notifications:read",
        "notifications:write", "devices:approve", "audit:read",
    }),
    PlatformRole.USER: frozenset(),
    # Market data belongs to every workspace, so that no single one may write it; who somebody is, nobody says of themselves.
    PlatformRole.ADMIN: frozenset({"marketdata:write", "kyc:decide"}),
})  # fmt: skip


def one_of(column: str, words: type[StrEnum]) -> str:
    """The condition of a check constraint: the column holds one of the enumeration's words."""
    return f"{column} IN ({', '.join(repr(str(word)) for word in words)})"
