"""What does the archive of an export look like? A ZIP with a folder for each context and a file for each table, as it is read.

The manifest at its end says how many rows each table has, and the SHA-256 of each file.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from libs.kit.personal_data.parcels import Label
from services.auth.model import ExportAnswer

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a table, in the open."""

    label: Label
    text: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """The file that it belongs to."""
        return f"{self.label.context}/{self.label.table}.jsonl"


class _Outlet(io.RawIOBase):
    """What was written and not fetched. A ZIP that is written to it never goes back."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        written = bytes(memoryview(data))  # type: ignore[arg-type]
        self._waiting += written
        return len(written)

    def fetch(self) -> bytes:
        fetched, self._waiting = bytes(self._waiting), bytearray()
        return fetched


async def archive(pieces: AsyncIterator[Piece], answers: Sequence[ExportAnswer]) -> AsyncIterator[bytes]:
    """The ZIP in chunks, while the pieces come; those of a file have to follow each other."""
    outlet, sums = _Outlet(), dict[str, str]()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as packed:
        path, digest = "", hashlib.sha256()
        member = None
        async for piece in pieces:
            if piece.path != path:
                if member is not None:
                    member.close()
                    sums[path] = digest.hexdigest()
                path, digest = piece.path, hashlib.sha256()
                member = packed.open(path, "w", force_zip64=True)
            if member is not None:
                member.write(piece.text)
            digest.update(piece.text)
            yield outlet.fetch()
        if member is not None:
            member.close()
            sums[path] = digest.hexdigest()
        packed.writestr(MANIFEST, _manifest(answers, sums))
    yield outlet.fetch()


def _manifest(answers: Sequence[ExportAnswer], sums: dict[str, str]) -> bytes:
    tables = {f"{one.context}/{name}": rows for one in answers for name, rows in sorted(one.tables.items())}
    said = {
        "tables": tables,
        "sha256": sums,
        "about": "One line of JSON for each row; a table without rows has no file. Messages between the parts of the "
        "installation tell the same a second time, and are left out; so is what only serves to check secrets.",
    }
    return json.dumps(said, indent=2).encode()
