"""Is every audit trail as it was written? Checked by hashes that are computed here, and signatures by another library."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import asyncpg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.violation import Invariant

_TAG = b"fillstream audit v1\n"
_UNHASHED = frozenset({"previous_hash", "hash"})
_HEADS = "SELECT tenant_id, data::jsonb->>'signature' FROM auth.event_log WHERE type = 'auth.AuditHeadPublished.v1'"


async def every_trail_is_a_chain(evidence: Evidence) -> list[str]:
    """The entries of a workspace are numbered from 1 on, and each holds the hash of the one before and its own."""
    found = []
    for workspace_id, entries in (await _trails(evidence)).items():
        last = sha256(_TAG + workspace_id.bytes).digest()
        for number, entry in enumerate(entries, start=1):
            hashed = sha256(_TAG + last + _text(entry).encode()).digest()
            if (entry["sequence"], entry["previous_hash"], entry["hash"]) != (number, last, hashed):
                found.append(f"entry {entry['sequence']} of {workspace_id} is not what number {number} was")
                break
            last = hashed
    return found


async def every_chain_ends_where_it_says(evidence: Evidence) -> list[str]:
    """What a chain says of its end is its last entry."""
    trails = await _trails(evidence)
    said = {
        row[0]: (row[1], row[2])
        for row in await evidence.database.fetch("SELECT tenant_id, last_sequence, last_hash FROM auth.audit_chain")
    }
    ends = {one: (entries[-1]["sequence"], entries[-1]["hash"]) for one, entries in trails.items()}
    return [
        f"the chain of {one} ends with {ends.get(one)}, and says {said.get(one)}"
        for one in said.keys() | ends.keys()
        if ends.get(one) != said.get(one)
    ]


async def every_head_that_was_told_is_signed_and_in_its_chain(evidence: Evidence) -> list[str]:
    """A head that was told is signed by a key of the installation, and is the hash of its entry."""
    rows = await evidence.database.fetch("SELECT kid, public_jwk->>'x' FROM auth.signing_key")
    keys = {row[0]: row[1] for row in rows}
    hashes = {
        (workspace_id, entry["sequence"]): entry["hash"].hex()
        for workspace_id, entries in (await _trails(evidence)).items()
        for entry in entries
    }
    found = []
    for workspace_id, signed in await evidence.database.fetch(_HEADS):
        head = _opened(signed, keys)
        if head is None or head["workspace_id"] != str(workspace_id):
            found.append(f"a head that was told of {workspace_id} is not signed for it")
        elif hashes.get((workspace_id, head["sequence"])) != head["hash"]:
            found.append(f"entry {head['sequence']} of {workspace_id} is not the one whose hash was told")
    return found


async def _trails(evidence: Evidence) -> Mapping[UUID, Sequence[asyncpg.Record]]:
    trails: defaultdict[UUID, list[asyncpg.Record]] = defaultdict(list)
    for entry in await evidence.database.fetch("SELECT * FROM auth.audit_entry ORDER BY tenant_id, sequence"):
        trails[entry["tenant_id"]].append(entry)
    return trails


def _text(entry: asyncpg.Record) -> str:
    """An entry as it was hashed: its columns by name, the tenant as the workspace."""
    columns = {("workspace_id" if name == "tenant_id" else name): value for name, value in entry.items()}
    members = [f'"{name}":{_value(columns[name])}' for name in sorted(columns.keys() - _UNHASHED)]
    return "{" + ",".join(members) + "}"


def _value(value: object) -> str:
    if isinstance(value, datetime):
        return f'"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"'
    return json.dumps(str(value) if isinstance(value, UUID) else value, ensure_ascii=False)


def _opened(signed: str, keys: Mapping[str, str]) -> dict[str, str] | None:
    """What a compact JWS says, if one of the keys signed it."""
    head, payload, signature = signed.split(".")
    public = keys.get(json.loads(_bytes(head))["kid"], "")
    try:
        Ed25519PublicKey.from_public_bytes(_bytes(public)).verify(_bytes(signature), f"{head}.{payload}".encode())
    except (InvalidSignature, ValueError):
        return None
    claims: dict[str, str] = json.loads(_bytes(payload))
    return claims


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


INVARIANTS = (
    Invariant(every_trail_is_a_chain),
    Invariant(every_chain_ends_where_it_says),
    Invariant(every_head_that_was_told_is_signed_and_in_its_chain),
)
