"""Who guards the data keys? A key-encryption key that wraps them, behind one small interface.

KeyTrouble
├── KeyServiceAway         no answer, or none now: trying again can help
├── KeyRefused    (Fatal)  the service does not let us, or knows no such key: an operator has to act
└── Unwrappable   (Fatal)  a wrapped key is damaged, or is not the one of its place
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from libs.kit.errors import Fatal, FillstreamError
from libs.kit.outages import Away

DATA_KEY_BYTES = 32
"""AES-256."""
ANSWER_SECONDS = 3.0
"""How long a service may take for one answer: a transaction waits for it, which PostgreSQL ends after 5 s of silence."""

ALL_ANSWERS_SECONDS = 4.0
"""How long all of them may take together, where it needs several."""


class KeyTrouble(FillstreamError):
    """Something is wrong with the key that guards the data keys."""


class KeyServiceAway(KeyTrouble, Away):
    """The service that holds the key does not answer, or not now."""


class KeyRefused(KeyTrouble, Fatal):
    """The service does not let us use the key, or has no such key; or there is none configured."""


class Unwrappable(KeyTrouble, Fatal):
    """A wrapped key does not open: it is damaged, moved from elsewhere, or was wrapped by another key."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a wrapped key belongs to; it can't be unwrapped as anything else. `tenant_id` is None for everybody's."""

    schema: str
    tenant_id: UUID | None
    key: str

    def context(self) -> dict[str, str]:
        """The same as names and values, as AWS wants it."""
        tenant = "" if self.tenant_id is None else str(self.tenant_id)
        return {"fillstream-schema": self.schema, "fillstream-tenant": tenant, "fillstream-key": self.key}

    def associated_data(self) -> bytes:
        """The same as bytes: canonical JSON, so that no two bindings share them."""
        return json.dumps(self.context(), sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key that only its key-encryption key opens. `by` names that key, and its version where it is known."""

    ciphertext: bytes = field(repr=False)
    by: str


class KeyEncryption(Protocol):
    """A key that encrypts keys and never leaves its guard. Every method may raise KeyServiceAway and KeyRefused."""

    async def wrap(self, key: bytes, binding: Binding, /) -> WrappedKey:
        """Encrypt a key by the newest version."""

    async def unwrap(self, wrapped: WrappedKey, binding: Binding, /) -> bytes:
        """The key, whichever version wrapped it. Raises Unwrappable."""

    async def rewrap(self, wrapped: WrappedKey, binding: Binding, /) -> WrappedKey:
        """The same key, wrapped by the newest version. Raises Unwrappable."""

    async def renew(self) -> str | None:
        """Make a new version that wraps from now on, and name it; None where the service does that by itself."""
