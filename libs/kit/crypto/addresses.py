"""Which key guards the data keys? The one that `encryption_key_url` names; its scheme says what holds it.

file:///path/keyset.json
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import SplitResult, unquote, urlsplit

from libs.kit.crypto.aws_kms import aws_kms
from libs.kit.crypto.gcp_kms import gcp_kms
from libs.kit.crypto.in_time import InTime
from libs.kit.crypto.key_encryption import Binding, KeyEncryption, KeyRefused, WrappedKey
from libs.kit.crypto.keyset_file import KeysetFile
from libs.kit.crypto.two_keys import TwoKeys
from libs.kit.crypto.vault_transit import vault_transit
from libs.kit.settings import Settings

Opening = Callable[[SplitResult, Settings], AbstractAsyncContextManager[KeyEncryption]]


@dataclass(frozen=True, slots=True)
class NoKeyEncryption:
    """What stands in where no key is configured: all that it does is to say so."""

    async def wrap(self, _key: bytes, _binding: Binding) -> WrappedKey:
        """Raises KeyRefused."""
        raise _unset()

    async def unwrap(self, _wrapped: WrappedKey, _binding: Binding) -> bytes:
        """Raises KeyRefused."""
        raise _unset()

    async def rewrap(self, _wrapped: WrappedKey, _binding: Binding) -> WrappedKey:
        """Raises KeyRefused."""
        raise _unset()

    async def renew(self) -> str | None:
        """Raises KeyRefused."""
        raise _unset()


def _unset() -> KeyRefused:
    return KeyRefused("FILLSTREAM_ENCRYPTION_KEY_URL is not set: secrets can be neither kept nor read without it")


@asynccontextmanager
async def key_encryption(settings: Settings) -> AsyncIterator[KeyEncryption]:
    """The key-encryption key of an installation. Raises KeyRefused for a URL that makes no sense."""
    if settings.encryption_key_url is None:
        yield NoKeyEncryption()
        return
    async with _opened(settings.encryption_key_url, settings) as guard:
        if settings.encryption_other_key_url is None:
            yield InTime(guard)
            return
        async with _opened(settings.encryption_other_key_url, settings) as other:
            yield InTime(TwoKeys(guard, other))


def _opened(address: str, settings: Settings) -> AbstractAsyncContextManager[KeyEncryption]:
    url = urlsplit(address)
    opening = _OPENINGS.get(url.scheme)
    if opening is None:
        known = ", ".join(f"{scheme}://" for scheme in _OPENINGS)
        raise KeyRefused(f"FILLSTREAM_ENCRYPTION_KEY_URL should begin with one of {known}")
    return opening(url, settings)


@asynccontextmanager
async def _keyset_file(url: SplitResult, _settings: Settings) -> AsyncIterator[KeyEncryption]:
    yield KeysetFile(Path(unquote(url.path)))


_OPENINGS: Mapping[str, Opening] = MappingProxyType({
    "file": _keyset_file, "aws-kms": aws_kms, "gcp-kms": gcp_kms, "vault-transit": vault_transit,
})  # fmt: skip
