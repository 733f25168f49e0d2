"""When are two usernames one? When a reader could take one for the other."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# The rows of Unicode TS 39's confusables.txt that stay within letters and digits of ASCII, after case is folded: a name
# may be shown with a capital I, which looks like l, so that i goes the way of l and 1.
_LOOK_ALIKES: Mapping[str, str] = MappingProxyType({"0": "o", "1": "l", "i": "l", "m": "rn"})
_SEPARATORS = "._-"
_SKELETON = str.maketrans({**_LOOK_ALIKES, **dict.fromkeys(_SEPARATORS, "")})

# Whoever has one of these could speak for the house.
_RESERVED = (
    "abuse", "admin", "administrator", "anonymous", "api", "auth", "billing", "compliance", "contact", "everyone",
    "fillstream", "fraud", "help", "helpdesk", "hostmaster", "info", "kyc", "legal", "login", "mail", "me", "moderator",
    "noreply", "no-reply", "null", "official", "operator", "owner", "payments", "postmaster", "privacy", "register",
    "root", "sales", "security", "service", "settings", "staff", "status", "superuser", "support", "sysadmin", "system",
    "team", "trust", "undefined", "user", "username", "verify", "webmaster", "www",
)  # fmt: skip


def username_key(username: str) -> str:
    """What a username is known by; unique. Those that differ in case, separators or look-alikes have the same.

    After the skeleton of Unicode TS 39, section 4, for names of ASCII alone. It is wider than need be: `kim` keeps
    `klm` from being taken, which costs one person another name, where the other way costs somebody their money.
    """
    return username.casefold().translate(_SKELETON)


_RESERVED_KEYS = frozenset(username_key(name) for name in _RESERVED)


def is_reserved(username: str) -> bool:
    """Whether nobody may have it, nor anything that looks like it."""
    return username_key(username) in _RESERVED_KEYS
