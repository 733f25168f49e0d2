"""How does a file guard the data keys? It holds key-encryption keys, of which the primary one wraps. For development.

The file is JSON: `{"primary": id, "keys": [{"id": ..., "key": base64 of 32 bytes}]}`. It is read anew whenever it is
needed, which is seldom, so that running services see a new primary key at once.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import stat
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, ValidationError

from libs.kit.crypto.key_encryption import DATA_KEY_BYTES, Binding, KeyRefused, Unwrappable, WrappedKey

_NONCE_BYTES = 12
_PRIVATE = 0o600
_ANYBODY = stat.S_IRWXO


class _Key(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: str
    key: str

    @classmethod
    def random(cls) -> _Key:
        return cls(id=secrets.token_hex(8), key=b64encode(secrets.token_bytes(DATA_KEY_BYTES)).decode())


class _Keyset(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    primary: str
    keys: list[_Key]

    def cipher(self, key_id: str) -> AESGCM | None:
        for one in self.keys:
            if one.id == key_id:
                return AESGCM(b64decode(one.key, validate=True))
        return None

    def with_new_primary(self) -> _Keyset:
        new = _Key.random()
        return _Keyset(primary=new.id, keys=[*self.keys, new])


def create_keyset(path: Path) -> None:
    """Make a keyset with one key, readable by its owner alone, unless there is one; the first of several makes it.

    Raises KeyRefused where nothing can be written.
    """
    if path.exists():
        return
    first = _Key.random()
    try:
        draft = _draft(path, _Keyset(primary=first.id, keys=[first]))
        try:
            with suppress(FileExistsError):
                path.hardlink_to(draft)
        finally:
            draft.unlink()
        # Else a power cut could take the name of a key that secrets are sealed under already.
        _settle(path.parent)
    except OSError as error:
        raise KeyRefused(f"the keyset {path} can't be made: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class KeysetFile:
    """Key-encryption keys in a file."""

    path: Path

    async def wrap(self, key: bytes, binding: Binding) -> WrappedKey:
        """Encrypt a key by the primary key. Raises KeyRefused when the file can't be used."""
        keyset = await asyncio.to_thread(self._read)
        cipher = self._cipher(keyset, keyset.primary)
        nonce = os.urandom(_NONCE_BYTES)
        return WrappedKey(nonce + cipher.encrypt(nonce, key, binding.associated_data()), f"file:{keyset.primary}")

    async def unwrap(self, wrapped: WrappedKey, binding: Binding) -> bytes:
        """The key. Raises Unwrappable, and KeyRefused when the file has lost the key that wrapped it."""
        kind, _, key_id = wrapped.by.partition(":")
        if kind != "file":
            raise KeyRefused(f"the key was wrapped by {wrapped.by}, not by the keyset {self.path}")
        cipher = self._cipher(await asyncio.to_thread(self._read), key_id)
        nonce, sealed = wrapped.ciphertext[:_NONCE_BYTES], wrapped.ciphertext[_NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, sealed, binding.associated_data())
        except (InvalidTag, ValueError):
            raise Unwrappable(f"the wrapped key {binding.key} does not open: it is damaged or was moved") from None

    async def rewrap(self, wrapped: WrappedKey, binding: Binding) -> WrappedKey:
        """The same key under the primary key. Raises as `unwrap`."""
        return await self.wrap(await self.unwrap(wrapped, binding), binding)

    async def renew(self) -> str:
        """Add a key and make it the primary one; the others stay, since backups need them."""
        return await asyncio.to_thread(self._add_primary)

    def _cipher(self, keyset: _Keyset, key_id: str) -> AESGCM:
        try:
            cipher = keyset.cipher(key_id)
        except ValueError:
            raise KeyRefused(f"the key {key_id} in the keyset {self.path} is no AES key") from None
        if cipher is None:
            raise KeyRefused(f"the keyset {self.path} has no key {key_id}: restore the file from a backup")
        return cipher

    def _add_primary(self) -> str:
        with _locked(self.path):
            keyset = self._read().with_new_primary()
            _draft(self.path, keyset).replace(self.path)
            _settle(self.path.parent)
        return f"file:{keyset.primary}"

    def _read(self) -> _Keyset:
        try:
            mode = self.path.stat().st_mode
            text = self.path.read_text()
        except OSError as error:
            raise KeyRefused(f"the keyset {self.path} can't be read: {error.strerror}") from error
        if mode & _ANYBODY:
            raise KeyRefused(f"the keyset {self.path} is open to everybody: chmod 600 it")
        try:
            return _Keyset.model_validate_json(text)
        except ValidationError:
            raise KeyRefused(f"the keyset {self.path} is damaged: restore the file from a backup") from None


def _draft(path: Path, keyset: _Keyset) -> Path:
    """The keyset on the disk, under a name that nobody looks for."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
    with os.fdopen(descriptor, "w") as file:
        file.write(keyset.model_dump_json(indent=1))
        file.flush()
        os.fsync(descriptor)
    return draft


def _settle(folder: Path) -> None:
    """Let a file's new name outlive a loss of power: keys that wrap must not be forgotten."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time changes the file."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, _PRIVATE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
