"""How are private signing keys kept? Encrypted with AES-256-GCM under a key derived from the installation's secret."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.jwk import OKPKey
from pydantic import SecretStr

from libs.kit.errors import Fatal
from libs.kit.security import ALGORITHM

_NONCE_BYTES = 12
_KEY_BYTES = 32
_PURPOSE = b"fillstream auth signing keys v1"


class KeySealed(Fatal):
    """The private key can't be opened with the secret that is configured."""


def generate_key() -> OKPKey:
    """A new Ed25519 key pair; its id is the thumbprint of RFC 7638."""
    return OKPKey.generate_key("Ed25519", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)


def key_id(key: OKPKey) -> str:
    """The `kid` of a key pair. Raises ValueError when it has none."""
    if key.kid is None:
        raise ValueError("a signing key has an id")
    return key.kid


def public_jwk(key: OKPKey) -> dict[str, str]:
    """What the world may know of a key pair, as a JSON Web Key."""
    return {name: value for name, value in key.as_dict(private=False).items() if isinstance(value, str)}


@dataclass(frozen=True, slots=True)
class KeyVault:
    """Seals private keys for the database and opens them again."""

    _cipher: AESGCM = field(repr=False)

    @classmethod
    def of(cls, secret: SecretStr) -> KeyVault:
        """The vault of an installation."""
        derived = HKDF(SHA256(), _KEY_BYTES, salt=None, info=_PURPOSE).derive(secret.get_secret_value().encode())
        return cls(AESGCM(derived))

    def seal(self, key: OKPKey) -> bytes:
        """Nonce and ciphertext; bound to the key's id, so that rows can't be swapped."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, json.dumps(key.as_dict(private=True)).encode(), key_id(key).encode())

    def open(self, kid: str, sealed: bytes) -> OKPKey:
        """The key pair. Raises KeySealed when it was sealed with another secret, or is damaged."""
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], kid.encode())
        except (InvalidTag, ValueError):
            raise KeySealed(
                f"FILLSTREAM_AUTH_KEY_SECRET does not open the signing key {kid}: "
                "set the secret that it was made with, or delete the key's row"
            ) from None
        return OKPKey.import_key(json.loads(plain))
