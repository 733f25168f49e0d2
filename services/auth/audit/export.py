"""How does a trail leave the house? As JSON Lines: first how far it goes and who vouches for it, then its entries.

`deploy/audit/verify.py` reads it, and needs nothing of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.auth.audit.canonical import canonical
from services.auth.audit.chain import Link, document

FORMAT = "fillstream-audit-v1"


def opening(workspace_id: UUID, signed_head: str, public_keys: Sequence[dict[str, str]]) -> bytes:
    """The first line."""
    return _line(
        canonical(
            {
                "format": FORMAT,
                "workspace_id": str(workspace_id),
                "head": signed_head,
                "jwks": {"keys": public_keys},
            }
        )
    )


def line_of(one: Link) -> bytes:
    """An entry's line."""
    return _line(
        canonical({"entry": document(one.entry), "previous_hash": one.previous_hash.hex(), "hash": one.hash.hex()})
    )


def _line(text: bytes) -> bytes:
    return text + b"\n"
