"""Is what the audit trails say still what was recorded? Whole chains, read from auth's database as streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from joserfc.jwk import KeySet, OKPKey

from libs.kit.db import Database
from libs.kit.errors import NotFound
from services.auth.audit.chain import Broken, Walk
from services.auth.audit.export import line_of, opening
from services.auth.audit.heads import HeadForged, open_head, sign_head
from services.auth.commands.audit import publish_head
from services.auth.commands.signing_keys import every_public_key, signing_key
from services.auth.queries import audit
from services.auth.queries.audit import Trail
from services.auth.tokens import Issuing

Step = Callable[[int], None]
"""Told of how many more entries were looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is true of a workspace's trail: how many of its entries hold, and what is wrong with the next, if anything."""

    workspace_id: UUID
    entries: int
    broken: Broken | None


async def trails(db: Database, workspace_id: UUID | None) -> list[Trail]:
    """What is known of the trails: of all workspaces that have or had one, or of one. Raises NotFound."""
    async with db.work() as tx:
        wanted = await audit.workspaces(tx)
        if workspace_id is not None:
            if workspace_id not in wanted:
                raise NotFound("audit trail of workspace", workspace_id)
            wanted = [workspace_id]
        return [await audit.trail(tx, one) for one in wanted]


async def verify(db: Database, trail: Trail, step: Step) -> Finding:
    """Follow a workspace's chain from its first entry, through all heads that were told, to where it says it ends."""
    async with db.work() as tx:
        keys = KeySet([OKPKey.import_key(dict(key)) for key in await every_public_key(tx)])
    # Many signatures take longer than a transaction may be idle.
    marks = _marks(trail, keys)
    if isinstance(marks, Broken):
        return Finding(trail.workspace_id, 0, marks)
    walk = Walk(trail.workspace_id, marks)
    async with db.work() as tx:
        async for links in audit.links(tx, trail.workspace_id):
            broken = walk.along(links)
            step(len(links))
            if broken is not None:
                return Finding(trail.workspace_id, walk.sequence, broken)
    return Finding(trail.workspace_id, walk.sequence, walk.end())


def _marks(trail: Trail, keys: KeySet) -> dict[int, bytes] | Broken:
    """The hashes that entries had when a head was told, and that of the last one; or which head is none."""
    marks = {trail.entries: trail.last_hash} if trail.entries else {}
    for signed in trail.signed_heads:
        try:
            head = open_head(signed, keys)
        except HeadForged as error:
            return Broken(max(marks, default=0), f"can't be told from a forged one: {error}")
        if head.workspace_id != trail.workspace_id:
            return Broken(head.sequence, f"has the head of the workspace {head.workspace_id}")
        if marks.setdefault(head.sequence, head.hash) != head.hash:
            return Broken(head.sequence, "was written anew: it had another hash when the chain's head was told")
    return marks


async def export(db: Database, issuing: Issuing, workspace_id: UUID, out: Path) -> int:
    """Write a workspace's trail as JSON Lines, as far as it goes now; gives the number of entries. Raises NotFound."""
    async with db.work() as tx:
        chain = await publish_head(tx, issuing, workspace_id)
        signed = sign_head(await signing_key(tx, issuing), chain.head)
        first = opening(workspace_id, signed, await every_public_key(tx))
        last = chain.last_sequence
    # In a transaction of its own: what is appended meanwhile must not wait for a file.
    async with db.work() as tx:
        with out.open("wb") as file:
            file.write(first)
            async for links in audit.links(tx, workspace_id, last):
                file.writelines(map(line_of, links))
    return last
