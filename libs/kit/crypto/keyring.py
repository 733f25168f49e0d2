"""How is a secret sealed? AES-256-GCM under a workspace's data key, bound to the place where it lives.

Layout: a format byte (1), the data key's id (16 bytes), the nonce (12, random), ciphertext and tag (16). The associated
data are format and key id, tenant and row (16 bytes each), and schema, table and column, each after its length (2 bytes).
Random nonces are safe for 2^32 secrets under a key (NIST SP 800-38D, 8.3).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.kit.crypto.places import Place
from libs.kit.errors import Fatal

__all__ = ["HEADER_BYTES", "Keyring", "Place", "Unsealable", "header_of"]

_FORMAT = b"\x01"
_ID_BYTES = 16
HEADER_BYTES = len(_FORMAT) + _ID_BYTES
_NONCE_BYTES = 12
_TAG_BYTES = 16
_SMALLEST = HEADER_BYTES + _NONCE_BYTES + _TAG_BYTES


class Unsealable(Fatal):
    """A sealed value does not open: it is damaged, was moved from another place, or its key is gone."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The data keys of one workspace in one context, for the length of a transaction."""

    schema: str
    tenant_id: UUID
    newest: UUID
    """The key that seals; the others only open."""
    _ciphers: Mapping[UUID, AESGCM] = field(repr=False)

    @property
    def retired(self) -> Collection[UUID]:
        """The keys that only open."""
        return self._ciphers.keys() - {self.newest}

    def lacks_key_of(self, sealed: bytes) -> bool:
        """Whether the key of a sealed value is not there: it was destroyed, and nobody opens the value ever again."""
        return sealed.startswith(_FORMAT) and len(sealed) >= _SMALLEST and _key_of(sealed) not in self._ciphers

    def seal(self, plain: bytes, place: Place) -> bytes:
        """What to keep at a place, different each time."""
        header = header_of(self.newest)
        nonce = os.urandom(_NONCE_BYTES)
        return header + nonce + self._ciphers[self.newest].encrypt(nonce, plain, self._bound(header, place))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """What was sealed at a place. Raises Unsealable, which never tells what is inside."""
        if len(sealed) < _SMALLEST or not sealed.startswith(_FORMAT):
            raise Unsealable(f"{place} in {self.schema} is no sealed value: it is damaged")
        header = sealed[:HEADER_BYTES]
        cipher = self._ciphers.get(_key_of(sealed))
        if cipher is None:
            raise Unsealable(
                f"{place} in {self.schema} is sealed with a data key that workspace {self.tenant_id} lacks"
            )
        nonce, secret = sealed[HEADER_BYTES:][:_NONCE_BYTES], sealed[HEADER_BYTES + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, secret, self._bound(header, place))
        except InvalidTag:
            raise Unsealable(f"{place} in {self.schema} does not open: it is damaged or was moved there") from None

    def _bound(self, header: bytes, place: Place) -> bytes:
        names = (self.schema.encode(), place.table.encode(), place.column.encode())
        lengths = b"".join(len(name).to_bytes(2, "big") + name for name in names)
        return header + self.tenant_id.bytes + place.row.bytes + lengths


def _key_of(sealed: bytes) -> UUID:
    return UUID(bytes=sealed[len(_FORMAT) : HEADER_BYTES])


def header_of(key_id: UUID) -> bytes:
    """The first HEADER_BYTES of everything that a data key sealed."""
    return _FORMAT + key_id.bytes
