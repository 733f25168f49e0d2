"""How does HashiCorp Vault guard the data keys? Its transit engine encrypts them; the key never leaves it.

Protocol: Vault's HTTP API, `/v1/<mount>/encrypt/<key>`, `decrypt` and `keys/<key>/rotate`, with the binding as
`associated_data`. `rewrap` is not used: it knows no associated data.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, unquote

import httpx2
from pydantic import BaseModel, Field, SecretStr

from libs.kit.crypto.key_encryption import (
    Binding,
    KeyEncryption,
    KeyRefused,
    KeyServiceAway,
    Unwrappable,
    WrappedKey,
)
from libs.kit.crypto.key_service import KeyService
from libs.kit.settings import Settings

_KIND = "vault-transit"


class _Encrypted(BaseModel):
    class _Data(BaseModel):
        ciphertext: str = Field(pattern="^vault:v[0-9]+:")

    data: _Data


class _Decrypted(BaseModel):
    class _Data(BaseModel):
        plaintext: SecretStr

    data: _Data


class _Key(BaseModel):
    """What `rotate` answers, where it answers at all: servers before 1.13 say nothing."""

    class _Data(BaseModel):
        latest_version: int | None = None

    data: _Data | None = None


@dataclass(frozen=True, slots=True)
class VaultTransit:
    """A key of a transit engine. `address` ends with the mount: `https://vault:8200/v1/transit`."""

    service: KeyService
    address: str
    key: str
    token: SecretStr | None
    token_file: Path | None
    namespace: str | None

    async def wrap(self, key: bytes, binding: Binding, /) -> WrappedKey:
        """Encrypt a key by the newest version."""
        question = {"plaintext": b64encode(key).decode(), **_associated(binding)}
        answer = await self.service.ask(self._url("encrypt"), question, _Encrypted, await self._headers())
        ciphertext = answer.data.ciphertext
        return WrappedKey(ciphertext.encode(), f"{_KIND}:{self.key}:{ciphertext.split(':')[1]}")

    async def unwrap(self, wrapped: WrappedKey, binding: Binding, /) -> bytes:
        """The key. Raises Unwrappable."""
        if not wrapped.by.startswith(f"{_KIND}:"):
            raise KeyRefused(f"the key was wrapped by {wrapped.by}, not by Vault")
        try:
            question = {"ciphertext": wrapped.ciphertext.decode("ascii"), **_associated(binding)}
        except UnicodeDecodeError:
            raise Unwrappable(f"the wrapped key {binding.key} is damaged") from None
        answer = await self.service.ask(
            self._url("decrypt"), question, _Decrypted, await self._headers(), when_wrong=Unwrappable
        )
        try:
            return b64decode(answer.data.plaintext.get_secret_value(), validate=True)
        except ValueError:
            raise KeyServiceAway("Vault gives a key that is not base64") from None

    async def rewrap(self, wrapped: WrappedKey, binding: Binding, /) -> WrappedKey:
        """The same key under the newest version. Raises Unwrappable."""
        return await self.wrap(await self.unwrap(wrapped, binding), binding)

    async def renew(self) -> str | None:
        """Let Vault make a new version, which wraps from now on."""
        url = f"{self.address}/keys/{quote(self.key, safe='')}/rotate"
        answer = await self.service.ask(url, {}, _Key, await self._headers())
        version = answer.data.latest_version if answer.data is not None else None
        return None if version is None else f"{_KIND}:{self.key}:v{version}"

    def _url(self, operation: str) -> str:
        return f"{self.address}/{operation}/{quote(self.key, safe='')}"

    async def _headers(self) -> dict[str, str]:
        headers = {"X-Vault-Token": await self._current_token(), "X-Vault-Request": "true"}
        return headers if self.namespace is None else headers | {"X-Vault-Namespace": self.namespace}

    async def _current_token(self) -> str:
        if self.token_file is not None:
            try:
                # Vault's agent writes a new one there before the old one expires.
                return (await asyncio.to_thread(self.token_file.read_text)).strip()
            except OSError as error:
                raise KeyRefused(f"Vault's token {self.token_file} can't be read: {error.strerror}") from error
        if self.token is None:
            raise KeyRefused("FILLSTREAM_ENCRYPTION_VAULT_TOKEN is not set, and the URL names no token_file")
        return self.token.get_secret_value().strip()


def _associated(binding: Binding) -> dict[str, str]:
    return {"associated_data": b64encode(binding.associated_data()).decode()}


@asynccontextmanager
async def vault_transit(url: SplitResult, settings: Settings) -> AsyncIterator[KeyEncryption]:
    """`vault-transit://host:port/mount/key?token_file=PATH&namespace=NAME&scheme=http`. Raises KeyRefused."""
    options = {name: values[-1] for name, values in parse_qs(url.query).items()}
    mount, _, key = unquote(url.path).strip("/").rpartition("/")
    if not (url.netloc and mount and key):
        raise KeyRefused("FILLSTREAM_ENCRYPTION_KEY_URL should look like vault-transit://host:8200/transit/key")
    token_file = options.get("token_file")
    async with httpx2.AsyncClient(trust_env=False) as client:
        yield VaultTransit(
            KeyService("Vault", client),
            f"{options.get('scheme', 'https')}://{url.netloc}/v1/{quote(mount)}",
            key,
            settings.encryption_vault_token,
            None if token_file is None else Path(token_file),
            options.get("namespace"),
        )
