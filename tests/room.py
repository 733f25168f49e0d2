"""Where do the servers of tests keep their data? In memory where there is room.

A database for every test is a thousand files made and deleted: most of what a test would take, on a disk.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 only a folder that nobody else knows is made there
_BYTES = 8 * 2**30


def a_folder(prefix: str) -> tempfile.TemporaryDirectory[str]:
    """A folder that is gone afterwards."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _BYTES
    return tempfile.TemporaryDirectory(prefix=prefix, dir=_MEMORY if roomy else None)
