"""Is what the audit trails say still what was recorded? Whole chains, read from auth's database as streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from joserfc.jwk import KeySet, OKPKey

from libs.kit.db import Database, Tx
from libs.kit.errors import NotFound
from services.auth.audit.chain import Broken, Link, Walk
from services.auth.audit.export import line_of, opening
from services.auth.audit.heads import Head, HeadForged, ToldHeads, open_head, sign_head
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
        known = await audit.trails(tx)
    if workspace_id is None:
        return known
    wanted = [trail for trail in known if trail.workspace_id == workspace_id]
    if not wanted:
        raise NotFound("audit trail of workspace", workspace_id)
    return wanted


async def verify(db: Database, trail: Trail, keep: timedelta, step: Step) -> Finding:
    """Follow a workspace's chain from its first entry, through all heads that were told, to where it says it ends.

    Heads that were told longer ago than `keep` may be gone. Little of the trail is in memory, whatever its length.
    """
    async with db.work() as tx:
        keys = KeySet([OKPKey.import_key(dict(key)) for key in await every_public_key(tx)])
    walk = Walk(trail.workspace_id, {})
    try:
        async with db.work() as tx:
            await _follow(tx, trail, keys, walk, tx.now - keep, step)
    except _DoesNotHold as found:
        return Finding(trail.workspace_id, walk.sequence, found.broken)
    return Finding(trail.workspace_id, walk.sequence, None)


class _DoesNotHold(Exception):
    def __init__(self, broken: Broken) -> None:
        super().__init__(broken.why)
        self.broken = broken


def _insist(broken: Broken | None) -> None:
    if broken is not None:
        raise _DoesNotHold(broken)


async def _follow(tx: Tx, trail: Trail, keys: KeySet, walk: Walk, kept_since: datetime, step: Step) -> None:
    """Go along entries and heads side by side. Raises _DoesNotHold."""
    told = ToldHeads(trail.workspace_id)
    heads = _opened(audit.signed_heads(tx, trail), keys, told)
    # Before the entries are asked for: those of every head that is found are there then.
    head = await anext(heads, None)
    kept_from = audit.MAX_SEQUENCE
    async for links in audit.links(tx, trail.workspace_id):
        walk.marks = {}
        while head is not None and head.sequence <= walk.sequence + len(links):
            walk.marks[head.sequence] = head.hash
            head = await anext(heads, None)
        _mark_end(walk, trail)
        _insist(walk.along(links))
        step(len(links))
        kept_from = min(kept_from, _first_since(links, kept_since))
    # What is left are heads of entries that are gone.
    async for _ in heads:
        pass
    if last := max(told.last, trail.entries):
        walk.marks = {last: walk.hash}
    _insist(walk.end() or told.end(trail.signed_sequence, kept_from))


def _first_since(links: Sequence[Link], moment: datetime) -> int:
    young = (one.entry.sequence for one in links if one.entry.recorded_at >= moment)
    return next(young, audit.MAX_SEQUENCE)


async def _opened(batches: AsyncIterator[Sequence[str]], keys: KeySet, told: ToldHeads) -> AsyncIterator[Head]:
    """The heads, each of which follows the one before. Raises _DoesNotHold."""
    async for batch in batches:
        for signed in batch:
            try:
                head = open_head(signed, keys)
            except HeadForged as error:
                raise _DoesNotHold(Broken(told.last, f"can't be told from a forged one: {error}")) from error
            _insist(told.take(head))
            yield head


def _mark_end(walk: Walk, trail: Trail) -> None:
    """The chain's own word for its last entry has to be that of the head that was told of it."""
    if trail.entries > walk.sequence and walk.marks.setdefault(trail.entries, trail.last_hash) != trail.last_hash:
        why = "was written anew: it had another hash when the chain's head was told"
        raise _DoesNotHold(Broken(trail.entries, why))


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
