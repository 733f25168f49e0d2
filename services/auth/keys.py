"""How are private signing keys kept? Wrapped by the installation's key-encryption key, each bound to its id."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from joserfc.jwk import OKPKey

from libs.kit.crypto.key_encryption import Binding, KeyEncryption, WrappedKey
from libs.kit.security import ALGORITHM

_KEPT_KEYS = 16
"""More than sign at once; those of long ago need not stay in memory."""


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


@dataclass(eq=False)
class KeyVault:
    """Wraps private keys for the database and opens them again; those that are open stay so in memory.

    Its methods raise KeyServiceAway and KeyRefused.
    """

    guard: KeyEncryption
    _opened: dict[str, OKPKey] = field(default_factory=dict, repr=False)

    async def seal(self, key: OKPKey) -> WrappedKey:
        """The key pair for the database; bound to its id, so that rows can't be swapped."""
        return await self.guard.wrap(json.dumps(key.as_dict(private=True)).encode(), _binding(key_id(key)))

    async def open(self, kid: str, wrapped: WrappedKey) -> OKPKey:
        """The key pair of an id, which never changes. Raises Unwrappable when it is damaged."""
        opened = self._opened.get(kid)
        if opened is not None:
            return opened
        if len(self._opened) >= _KEPT_KEYS:
            self._opened.clear()
        self._opened[kid] = OKPKey.import_key(json.loads(await self.guard.unwrap(wrapped, _binding(kid))))
        return self._opened[kid]

    async def rewrap(self, kid: str, wrapped: WrappedKey) -> WrappedKey:
        """The same pair, wrapped by the newest key-encryption key. Raises Unwrappable."""
        return await self.guard.rewrap(wrapped, _binding(kid))


def _binding(kid: str) -> Binding:
    return Binding("auth", None, f"signing_key {kid}")
