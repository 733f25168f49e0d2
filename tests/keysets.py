"""Where do installations in tests have their key-encryption key? In one file of this process, gone at its end."""

from __future__ import annotations

import atexit
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from libs.kit.crypto.keyset_file import KeysetFile, create_keyset
from services.auth.keys import KeyVault


@cache
def keyset_url() -> str:
    """The address of a keyset for as long as this process lives."""
    folder = TemporaryDirectory(prefix="fillstream-keys-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "keyset.json"
    create_keyset(path)
    return path.as_uri()


def keys_in(url: str) -> list[str]:
    """The key-encryption keys at an address, which nobody else may see."""
    document = json.loads(Path(urlsplit(url).path).read_text())
    return [str(one["key"]) for one in document["keys"]]


def vault_at(url: str) -> KeyVault:
    """What opens the signing keys that are wrapped by the keyset at an address."""
    return KeyVault(KeysetFile(Path(urlsplit(url).path)))
