"""How do parts of an export travel? Compressed and sealed for one reader by HPKE (RFC 9180), bound to their place.

X25519, HKDF-SHA256 and AES-256-GCM. Whoever answers needs no secret; once the export's private key is gone, no copy of a
part opens any more, wherever it lies.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from libs.kit.errors import Fatal

PART_BYTES = 500_000
"""How much is in a part before it is compressed: sealed and in base64 it is less than an event may have, at the worst."""
_PURPOSE = b"fillstream data export v1"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class ParcelDamaged(Fatal):
    """A part of an export does not open: it is damaged, or belongs elsewhere."""


@dataclass(frozen=True, slots=True)
class Label:
    """Which part of which export it is."""

    export_id: UUID
    context: str
    number: int
    table: str

    def _bound(self) -> bytes:
        names = (self.context.encode(), self.table.encode())
        lengths = b"".join(len(name).to_bytes(2, "big") + name for name in names)
        return _PURPOSE + self.export_id.bytes + self.number.to_bytes(8, "big") + lengths

    def seal(self, plain: bytes, public_key: str) -> str:
        """The part for the holder of the key, in base64."""
        key = X25519PublicKey.from_public_bytes(base64.b64decode(public_key))
        return base64.b64encode(_SUITE.encrypt(zlib.compress(plain), key, self._bound())).decode()

    def open(self, sealed: bytes, private_key: bytes) -> bytes:
        """What is in the part. Raises ParcelDamaged."""
        try:
            packed = _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private_key), self._bound())
        except InvalidTag:
            raise ParcelDamaged(
                f"part {self.number} of {self.context} for export {self.export_id} does not open"
            ) from None
        # Anybody who sees the request can seal something: it is no larger than what a context seals.
        return zlib.decompressobj().decompress(packed, PART_BYTES)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The keys of one export."""

    private: bytes
    public: str
    """In base64, as an event tells it."""

    @classmethod
    def generate(cls) -> KeyPair:
        """New ones."""
        key = X25519PrivateKey.generate()
        return cls(key.private_bytes_raw(), base64.b64encode(key.public_key().public_bytes_raw()).decode())
