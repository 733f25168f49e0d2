"""Who takes part in a ceremony? A relying party, an owner, and passkeys, new, known and used."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from urllib.parse import urlsplit
from uuid import UUID

_LOOPBACK = "localhost"
_LONGEST_HANDLE = 64


class Algorithm(IntEnum):
    """Signatures that are taken, by their COSE number; the order is that of preference."""

    EDDSA = -8
    ES256 = -7
    RS256 = -257


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """This installation, as browsers know it. Raises ValueError when passkeys of `id` could not be used at an origin."""

    id: str
    """A domain: that of every origin, or one above it."""
    name: str
    origins: tuple[str, ...]
    """As browsers write them: scheme and host, and the port if it is not the scheme's own."""

    def __post_init__(self) -> None:
        if not self.origins:
            raise ValueError("a relying party has an origin")
        for origin in self.origins:
            parts = urlsplit(origin)
            host = parts.hostname or ""
            within = host == self.id or host.endswith(f".{self.id}")
            safe = parts.scheme == "https" or (parts.scheme == "http" and host == _LOOPBACK)
            if not self.id or not within or not safe or origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(f"{origin} is no https origin of {self.id}")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose passkey it is. Raises ValueError when the handle is longer than WebAuthn allows."""

    handle: bytes
    """1 to 64 bytes that say nothing of the person: authenticators show them to whoever holds them."""
    name: str
    """What tells one account from another: an address, say."""
    display_name: str

    def __post_init__(self) -> None:
        if not 0 < len(self.handle) <= _LONGEST_HANDLE:
            raise ValueError("an owner's handle has 1 to 64 bytes")


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What a registration proves, to be kept."""

    credential_id: bytes
    """Must belong to nobody yet: it is the caller who refuses one that is known."""
    public_key: bytes = field(repr=False)
    """A COSE_Key."""
    algorithm: Algorithm
    sign_count: int
    aaguid: UUID
    """The kind of authenticator, unattested: to be shown, not to be trusted."""
    transports: tuple[str, ...]
    """Ways to reach it; browsers want them back."""
    backup_eligible: bool
    """Whether it may be on several devices. Never changes."""
    backed_up: bool


@dataclass(frozen=True, slots=True)
class KnownPasskey:
    """What was kept of a passkey."""

    credential_id: bytes
    public_key: bytes = field(repr=False)
    owner_handle: bytes
    sign_count: int
    transports: tuple[str, ...]
    backup_eligible: bool


@dataclass(frozen=True, slots=True)
class UsedPasskey:
    """What an authentication proves, to be kept in place of what was."""

    credential_id: bytes
    sign_count: int
    backed_up: bool
