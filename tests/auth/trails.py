"""What is in a trail in tests? Acts that other contexts tell, links made by hand, and ways to forge what was recorded."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
from hypothesis import strategies as st

from libs.kit.db import Database
from libs.kit.ids import uuid7
from libs.schema.audit import INSTALLATION, ActorKind, ActResult, AuditHeadPublished, SecurityActed
from services.auth.audit.canonical import LARGEST_INTEGER, Json
from services.auth.audit.chain import Entry, Link, genesis, link
from services.auth.model import SecurityAct
from services.auth.queries import audit
from tests.world import World, eventually

VERIFIER = Path(__file__).parents[2] / "deploy/audit/verify.py"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
"""JSON of every kind that has a canonical writing."""
_NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def an_act(workspace_id: UUID, number: int = 0, **changes: object) -> SecurityActed:
    """What a context tells."""
    return SecurityActed(
        **{
            "occurred_at": _NOON + timedelta(minutes=number),
            "workspace_id": workspace_id,
            "act": "account.opened",
            "actor_kind": ActorKind.USER,
            "actor_id": UUID(int=7),
            "target_kind": "account",
            "target_id": f"number {number}",
            "result": ActResult.SUCCEEDED,
            "address": "192.0.2.7",
            "device": "Schreibmaschine für Ämter",
        }
        | changes
    )


def a_security_act(workspace_id: UUID, number: int = 0) -> SecurityAct:
    """The same in auth's own words."""
    return SecurityAct(
        workspace_id, uuid7(), "orders", "account.opened", "USER", UUID(int=7), None, "account", f"number {number}",
        "SUCCEEDED", None, "192.0.2.7", None, uuid7(), _NOON, _NOON,
    )  # fmt: skip


def a_chain(workspace_id: UUID, length: int) -> list[Link]:
    """A chain that nobody has touched."""
    return linked(workspace_id, [a_security_act(workspace_id, n).at(n) for n in range(1, length + 1)])


def linked(workspace_id: UUID, entries: Sequence[Entry]) -> list[Link]:
    """Entries, each held by the one before: everybody can do that."""
    links, last = list[Link](), genesis(workspace_id)
    for entry in entries:
        links.append(link(last, entry))
        last = links[-1].hash
    return links


async def tell(world: World, *acts: SecurityActed) -> None:
    """Let another context tell acts, each in its workspace's transaction."""
    await world.send(
        *(world.envelope(act, tenant_id=None if act.workspace_id == INSTALLATION else act.workspace_id) for act in acts)
    )


async def chain_of(db: Database, workspace_id: UUID) -> list[Link]:
    """All that is recorded of a workspace."""
    async with db.work() as tx:
        return [one async for links in audit.links(tx, workspace_id) for one in links]


async def has_recorded(db: Database, workspace_id: UUID, count: int) -> list[Link]:
    """Wait until so many acts are recorded."""

    async def recorded() -> list[Link]:
        found = await chain_of(db, workspace_id)
        assert len(found) == count, f"{len(found)} of {count} acts are recorded"
        return found

    return await eventually(recorded)


async def head_at(world: World, workspace_id: UUID, sequence: int) -> AuditHeadPublished:
    """Wait until it is told that a chain has so many entries."""

    async def told() -> AuditHeadPublished:
        heads = [head.event for head in world.published(AuditHeadPublished) if head.event.workspace_id == workspace_id]
        assert heads
        assert heads[-1].sequence == sequence, f"the last head that was told is {heads[-1].sequence}"
        return heads[-1]

    return await eventually(told)


@dataclass(frozen=True)
class Said:
    """What a program printed, and how it ended."""

    status: int
    out: str
    err: str


async def verifier(*arguments: str | Path) -> Said:
    """The stand-alone verifier, as an auditor runs it: a process that can import nothing of ours."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", VERIFIER, *arguments, cwd="/", stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())


Forgery = Callable[[list[Link], list[Link]], list[Link]]
"""What a forger makes of a workspace's chain and another workspace's."""


def _edited(mine: list[Link], _other: list[Link]) -> list[Link]:
    return [*mine[:3], mine[3]._replace(entry=mine[3].entry._replace(device="another")), *mine[4:]]


def _edited_with_its_hash(mine: list[Link], _other: list[Link]) -> list[Link]:
    return [*mine[:3], link(mine[2].hash, mine[3].entry._replace(device="another")), *mine[4:]]


def _deleted(mine: list[Link], _other: list[Link]) -> list[Link]:
    return [*mine[:3], *mine[4:]]


def _deleted_and_closed(mine: list[Link], _other: list[Link]) -> list[Link]:
    return _numbered(_deleted(mine, _other))


def _inserted(mine: list[Link], _other: list[Link]) -> list[Link]:
    added = link(mine[2].hash, mine[2].entry._replace(sequence=4, event_id=uuid7()))
    return _numbered([*mine[:3], added, *mine[3:]])


def _reordered(mine: list[Link], _other: list[Link]) -> list[Link]:
    return _numbered([*mine[:3], mine[4], mine[3], *mine[5:]])


def _truncated(mine: list[Link], _other: list[Link]) -> list[Link]:
    return mine[:6]


def _emptied(_mine: list[Link], _other: list[Link]) -> list[Link]:
    return []


def _swapped(mine: list[Link], other: list[Link]) -> list[Link]:
    return [*mine[:3], other[3], *mine[4:]]


def _rewritten(mine: list[Link], _other: list[Link]) -> list[Link]:
    entries = [one.entry for one in _edited(mine, _other)]
    return linked(entries[0].workspace_id, entries)


def _numbered(links: list[Link]) -> list[Link]:
    return [one._replace(entry=one.entry._replace(sequence=n)) for n, one in enumerate(links, start=1)]


FORGERIES: Mapping[str, tuple[Forgery, int]] = {
    "edited": (_edited, 4),
    "edited, with a hash that fits": (_edited_with_its_hash, 5),
    "deleted": (_deleted, 4),
    "deleted, and the gap closed": (_deleted_and_closed, 4),
    "inserted": (_inserted, 5),
    "reordered": (_reordered, 4),
    "truncated": (_truncated, 7),
    "emptied": (_emptied, 1),
    "swapped between workspaces": (_swapped, 4),
    "rewritten as a whole": (_rewritten, 10),
}
"""Each with the entry at which a chain of ten with a signed head no longer holds."""


async def forge(world: World, workspace_id: UUID, links: Sequence[Link]) -> None:
    """Put another chain in the place of a workspace's, as only whoever owns the database can, and cover the tracks."""
    admin = await asyncpg.connect(world.settings.database_url.get_secret_value())
    last = (links[-1].entry.sequence, links[-1].hash) if links else (0, genesis(workspace_id))
    rows = [(*one.entry._replace(workspace_id=workspace_id), one.previous_hash, one.hash) for one in links]
    columns = ["tenant_id" if name == "workspace_id" else name for name in Entry._fields]
    try:
        # Past the trigger, and past the uniqueness of events.
        await admin.execute("SET session_replication_role = replica")
        await admin.execute("ALTER TABLE auth.audit_entry DROP CONSTRAINT audit_entry_event_id")
        await admin.execute("DELETE FROM auth.audit_entry WHERE tenant_id = $1", workspace_id)
        await admin.copy_records_to_table(
            "audit_entry", schema_name="auth", records=rows, columns=[*columns, "previous_hash", "hash"]
        )
        await admin.execute(
            "UPDATE auth.audit_chain SET last_sequence = $2, signed_sequence = $2, last_hash = $3 WHERE tenant_id = $1",
            workspace_id,
            *last,
        )
    finally:
        await admin.close()
