"""Where do installations in tests have their key-encryption key? In one file of this process, gone at its end."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from libs.kit.crypto.keyset_file import create_keyset


@cache
def keyset_url() -> str:
    """The address of a keyset for as long as this process lives."""
    folder = TemporaryDirectory(prefix="fillstream-keys-")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "keyset.json"
    create_keyset(path)
    return path.as_uri()
