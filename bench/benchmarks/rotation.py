"""How fast does a data key become new while others write? Against the same work by hand, with nobody else there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, Uuid

from bench.fills import make_tables
from bench.report import AtLeast, AtMost, Row, compared
from bench.stage import Stage
from libs.kit.crypto.encryption import Encryption, encryption
from libs.kit.crypto.keyring import Keyring
from libs.kit.crypto.places import Place
from libs.kit.crypto.rotation import BATCH_ROWS, Rotation
from libs.kit.db import Database, Tx, database
from libs.kit.ids import uuid7

_WRITERS = 4
_WORD_BYTES = 100
_STRIDE = 7_919
"""A prime: rows are chosen all over the table, and each in its turn."""
_WARM_UP_SECONDS = 3.0
_TENANT = uuid7()
_METADATA = MetaData(schema="bench")
Table(
    "secret",
    _METADATA,
    Column("id", Uuid, primary_key=True),
    Column("tenant_id", Uuid),
    Column("number", BigInteger),
    Column("word", LargeBinary, info={"sealed": True}),
)


@dataclass
class Ledger:
    """What every row should hold, as its writers know it."""

    numbers: dict[UUID, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    """How long each write took."""

    def slowest(self) -> float:
        """The 99th percentile of the writes until now, in milliseconds, and forget them."""
        ordered, self.seconds = sorted(self.seconds), []
        return 1000 * ordered[int(len(ordered) * 0.99)]


async def measure(place: Stage) -> Sequence[Row]:
    """Rows a second, and how long others' writes take meanwhile."""
    size = place.sized(100_000, 2_000)
    await make_tables(place)
    async with database(place.settings, "bench") as db, encryption(place.settings) as safe:
        ledger = Ledger()
        await _fill(db, safe, ledger, size)
        theirs = size / await _by_hand(db, safe)
        async with _writing(db, safe, ledger):
            await asyncio.sleep(_WARM_UP_SECONDS)
            before = ledger.slowest()
            ours = size / await _rotate(db, safe)
            during = ledger.slowest()
        await _check(place, db, safe, ledger)
    return [
        compared(
            f"rows sealed anew while {_WRITERS} write", "1/s", ours, "by hand, nobody writes", theirs, AtLeast(0.2)
        ),
        compared("a write during a rotation, p99", "ms", during, "without one", before, AtMost(10)),
    ]


async def _fill(db: Database, safe: Encryption, ledger: Ledger, size: int) -> None:
    for first in range(0, size, 5_000):
        async with db.transaction(_TENANT) as tx:
            ring = await safe.keyring(tx, _TENANT)
            rows = {uuid7(): number for number in range(first, min(first + 5_000, size))}
            await _insert(tx, ring, rows)
        ledger.numbers |= rows


async def _insert(tx: Tx, ring: Keyring, rows: dict[UUID, int]) -> None:
    await tx.fetch(
        "INSERT INTO secret (id, tenant_id, number, word) "
        "SELECT id, $4, number, word FROM unnest($1::uuid[], $2::bigint[], $3::bytea[]) AS new (id, number, word)",
        list(rows),
        list(rows.values()),
        [_sealed(ring, row, number) for row, number in rows.items()],
        _TENANT,
    )


def _sealed(ring: Keyring, row: UUID, number: int) -> bytes:
    return ring.seal(_word(number), Place("secret", "word", row))


def _word(number: int) -> bytes:
    return b"%d" % number + bytes(_WORD_BYTES)


async def _by_hand(db: Database, safe: Encryption) -> float:
    """Open and seal every row, without locks, checks or company; the seconds that it took."""
    started, last = time.perf_counter(), UUID(int=0)
    while True:
        async with db.work() as tx:
            ring = await safe.keyring(tx, _TENANT)
            rows = await tx.fetch("SELECT id, word FROM secret WHERE id > $1 ORDER BY id LIMIT $2", last, BATCH_ROWS)
            if not rows:
                return time.perf_counter() - started
            places = [Place("secret", "word", row["id"]) for row in rows]
            words = [ring.seal(ring.open(row["word"], at), at) for row, at in zip(rows, places, strict=True)]
            await tx.fetch(
                "UPDATE secret SET word = new.word FROM unnest($1::uuid[], $2::bytea[]) AS new (id, word) "
                "WHERE secret.id = new.id",
                [row["id"] for row in rows],
                words,
            )
            last = rows[-1]["id"]


async def _rotate(db: Database, safe: Encryption) -> float:
    started = time.perf_counter()
    await Rotation(db, safe, _METADATA).renew(_TENANT, db.clock(), lambda _: None)
    return time.perf_counter() - started


@asynccontextmanager
async def _writing(db: Database, safe: Encryption, ledger: Ledger) -> AsyncIterator[None]:
    """Let others change rows and add rows, each its own ones."""
    done = asyncio.Event()
    shares = [list(ledger.numbers)[number::_WRITERS] for number in range(_WRITERS)]
    tasks = [asyncio.create_task(_write(db, safe, ledger, share, done)) for share in shares]
    yield
    done.set()
    await asyncio.gather(*tasks)


async def _write(db: Database, safe: Encryption, ledger: Ledger, rows: list[UUID], done: asyncio.Event) -> None:
    turns = count()
    while not done.is_set():
        started, row, new = time.perf_counter(), rows[next(turns) * _STRIDE % len(rows)], uuid7()
        number = ledger.numbers[row] + 1
        async with db.transaction(_TENANT) as tx:
            ring = await safe.keyring(tx, _TENANT)
            await tx.fetch(
                "UPDATE secret SET number = $2, word = $3 WHERE id = $1", row, number, _sealed(ring, row, number)
            )
            await _insert(tx, ring, {new: number})
        ledger.numbers |= {row: number, new: number}
        ledger.seconds.append(time.perf_counter() - started)


async def _check(place: Stage, db: Database, safe: Encryption, ledger: Ledger) -> None:
    """Every row is there, opens, and says what its writer knows; one data key is left. Raises AssertionError."""
    async with db.transaction(_TENANT) as tx:
        ring = await safe.keyring(tx, _TENANT)
        rows = await tx.fetch("SELECT id, word FROM secret")
    words = {row["id"]: ring.open(row["word"], Place("secret", "word", row["id"])) for row in rows}
    wrong = [row for row, number in ledger.numbers.items() if words.get(row) != _word(number)]
    admin = await place.connect("bench")
    kept = await admin.fetchval("SELECT count(*) FROM data_key")
    await admin.close()
    if wrong or len(words) != len(ledger.numbers) or kept != 1:
        raise AssertionError(f"{len(wrong)} of {len(ledger.numbers)} rows are wrong, and there are {kept} data keys")
