"""How does Google Cloud KMS guard the data keys? Its REST API encrypts them; checksums go both ways.

Protocol: `cryptoKeys.encrypt` and `cryptoKeys.decrypt` of Cloud KMS v1, with the binding as
`additionalAuthenticatedData` and a CRC32C of everything, as Google's guide to data integrity asks for.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, unquote

import httpx2
from pydantic import BaseModel, Field, SecretStr

from libs.kit.crypto.crc32c import crc32c
from libs.kit.crypto.key_encryption import (
    ANSWER_SECONDS,
    Binding,
    KeyEncryption,
    KeyRefused,
    KeyServiceAway,
    Unwrappable,
    WrappedKey,
)
from libs.kit.crypto.key_service import KeyService
from libs.kit.crypto.threads import key_threads
from libs.kit.settings import Settings

_KIND = "gcp-kms"
_ENDPOINT = "https://cloudkms.googleapis.com"
_VERSIONS = "/cryptoKeyVersions/"

Tokens = Callable[[], Awaitable[str]]
"""Gives an access token that is still good."""


class _Encrypted(BaseModel):
    name: str
    ciphertext: str
    # A number of 64 bits is a text in Google's JSON.
    checksum: int = Field(alias="ciphertextCrc32c")
    plaintext_arrived: bool = Field(False, alias="verifiedPlaintextCrc32c")
    binding_arrived: bool = Field(False, alias="verifiedAdditionalAuthenticatedDataCrc32c")


class _Decrypted(BaseModel):
    plaintext: SecretStr
    checksum: int = Field(alias="plaintextCrc32c")


@dataclass(frozen=True, slots=True)
class GcpKms:
    """A key of Cloud KMS. `key` is its resource name, `projects/.../cryptoKeys/...`."""

    service: KeyService
    endpoint: str
    key: str
    tokens: Tokens

    async def wrap(self, key: bytes, binding: Binding, /) -> WrappedKey:
        """Encrypt a key by the primary version."""
        question = _with_checksums(plaintext=key, additionalAuthenticatedData=binding.associated_data())
        url = f"{self.endpoint}/v1/{self.key}:encrypt"
        answer = await self.service.ask(url, question, _Encrypted, await self._headers())
        if not (answer.plaintext_arrived and answer.binding_arrived):
            raise KeyServiceAway("Google Cloud KMS did not verify what it was sent")
        return WrappedKey(_checked(answer.ciphertext, answer.checksum), f"{_KIND}:{answer.name}")

    async def unwrap(self, wrapped: WrappedKey, binding: Binding, /) -> bytes:
        """The key, whichever version wrapped it. Raises Unwrappable."""
        kind, _, version = wrapped.by.partition(":")
        if kind != _KIND:
            raise KeyRefused(f"the key was wrapped by {wrapped.by}, not by Google Cloud KMS")
        question = _with_checksums(ciphertext=wrapped.ciphertext, additionalAuthenticatedData=binding.associated_data())
        url = f"{self.endpoint}/v1/{version.partition(_VERSIONS)[0]}:decrypt"
        answer = await self.service.ask(url, question, _Decrypted, await self._headers(), when_wrong=Unwrappable)
        return _checked(answer.plaintext.get_secret_value(), answer.checksum)

    async def rewrap(self, wrapped: WrappedKey, binding: Binding, /) -> WrappedKey:
        """The same key under the primary version. Raises Unwrappable."""
        return await self.wrap(await self.unwrap(wrapped, binding), binding)

    async def renew(self) -> None:
        """Nothing: the key's rotation period, or an operator, makes new versions there."""

    async def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {await self.tokens()}"}


def _with_checksums(**parts: bytes) -> dict[str, str]:
    texts = {name: b64encode(part).decode() for name, part in parts.items()}
    return texts | {f"{name}Crc32c": str(crc32c(part)) for name, part in parts.items()}


def _checked(text: str, checksum: int) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError:
        raise KeyServiceAway("Google Cloud KMS gives an answer that is not base64") from None
    if crc32c(data) != checksum:
        raise KeyServiceAway("Google Cloud KMS gives an answer that was damaged on its way")
    return data


@asynccontextmanager
async def gcp_kms(url: SplitResult, _settings: Settings) -> AsyncIterator[KeyEncryption]:
    """`gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K?endpoint=URL`. Raises KeyRefused.

    Who we are, Google's Application Default Credentials say.
    """
    key = unquote(url.netloc + url.path)
    if not key.startswith("projects/") or "/cryptoKeys/" not in key:
        raise KeyRefused(
            "FILLSTREAM_ENCRYPTION_KEY_URL should look like gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K"
        )
    endpoint = parse_qs(url.query).get("endpoint", [_ENDPOINT])[-1]
    async with httpx2.AsyncClient(trust_env=False) as client, _tokens() as tokens:
        yield GcpKms(KeyService("Google Cloud KMS", client), endpoint, key, tokens)


@asynccontextmanager
async def _tokens() -> AsyncIterator[Tokens]:
    """Access tokens of the default credentials, kept as long as they are good."""
    try:
        from libs.kit.crypto.gcp_tokens import DefaultCredentials
    except ImportError as error:
        raise KeyRefused("gcp-kms:// needs the package google-auth: install fillstream[gcp]") from error
    # One thread, as the credentials are not for several at once; also when nobody waits any more for what it does.
    with httpx2.Client(trust_env=False, timeout=ANSWER_SECONDS) as client, key_threads(1) as threads:
        credentials = DefaultCredentials(client)

        async def token() -> str:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await threads.run(credentials.token)
            except TimeoutError:
                raise KeyServiceAway("Google gives no access token now") from None

        yield token
