"""How fast is an audit trail verified? From the database as the command does it, and in memory against bare SHA-256."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bench.effort import Effort
from bench.report import AtLeast, Row, compared
from bench.stage import Stage
from bench.turns import in_turns
from fillstream.audit import trails, verify
from libs.kit.db import Database, database
from libs.kit.ids import uuid7
from services.auth.audit.chain import VERSION, Link, Walk, written
from services.auth.commands import audit as commands
from services.auth.model import SecurityAct
from services.auth.queries import audit

_BATCH = 1_000
_WANTED = 50_000
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


async def measure(place: Stage) -> Sequence[Row]:
    """Entries a second."""
    count, workspace_id, effort = place.sized(100_000, 3_000), uuid7(), Effort()
    async with database(place.settings, "auth") as db:
        recorded = await _record(db, workspace_id, count)
        links = await _links(db, workspace_id)
        texts = [VERSION + one.previous_hash + written(one.entry) for one in links]

        async def command(_: str) -> float:
            with effort.turn():
                return await _verify(db, workspace_id, count)

        async def memory(_: str) -> float:
            return _walk(workspace_id, links)

        async def hashes(_: str) -> float:
            return _hash(texts, links)

        rates = await in_turns(place.sized(3, 1), {"command": command, "memory": memory, "hashes": hashes})
    note = effort.note(count, "entry")
    return [
        compared("verified from the database", "1/s", rates["command"], "limit", _WANTED, AtLeast(1), note=note),
        compared("verified in memory", "1/s", rates["memory"], "limit", _WANTED, AtLeast(1)),
        compared("verified in memory", "1/s", rates["memory"], "SHA-256 of the same bytes", rates["hashes"]),
        Row("recorded, a thousand at a time", "1/s", recorded),
    ]


async def _record(db: Database, workspace_id: UUID, count: int) -> float:
    acts = [_act(workspace_id) for _ in range(count)]
    started = time.perf_counter()
    for first in range(0, count, _BATCH):
        async with db.work() as tx:
            await commands.record(tx, acts[first : first + _BATCH])
    return count / (time.perf_counter() - started)


def _act(workspace_id: UUID) -> SecurityAct:
    now = datetime.now(UTC)
    return SecurityAct(
        workspace_id, uuid7(), "auth", "session.opened", "USER", uuid7(), None, "session", str(uuid7()), "SUCCEEDED",
        None, "192.0.2.7", _BROWSER, uuid7(), now, now,
    )  # fmt: skip


async def _links(db: Database, workspace_id: UUID) -> list[Link]:
    async with db.work() as tx:
        return [one async for links in audit.links(tx, workspace_id) for one in links]


async def _verify(db: Database, workspace_id: UUID, count: int) -> float:
    started = time.perf_counter()
    [trail] = await trails(db, workspace_id)
    found = await verify(db, trail, timedelta(days=1), lambda _: None)
    seconds = time.perf_counter() - started
    if found.broken is not None or found.entries != count:
        raise AssertionError(f"{found.entries} of {count} entries hold: {found.broken}")
    return count / seconds


def _walk(workspace_id: UUID, links: Sequence[Link]) -> float:
    walk, started = Walk(workspace_id, {len(links): links[-1].hash}), time.perf_counter()
    broken = walk.along(links) or walk.end()
    seconds = time.perf_counter() - started
    if broken is not None:
        raise AssertionError(broken.why)
    return len(links) / seconds


def _hash(texts: Sequence[bytes], links: Sequence[Link]) -> float:
    started = time.perf_counter()
    last = [hashlib.sha256(text).digest() for text in texts][-1]
    seconds = time.perf_counter() - started
    if last != links[-1].hash:
        raise AssertionError("these are not the bytes that the trail hashes")
    return len(texts) / seconds
