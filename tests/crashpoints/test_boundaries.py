"""A process dies exactly where it was to: what it had said by then has happened, and nothing else."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from libs.kit.kafka import connection
from libs.kit.settings import Settings
from tests.crashpoints.crossings import Crossing, Journal, Kind, Point, Prompter, fingerprint
from tests.crashpoints.toy import LOOK, WRITE
from tests.system.commands import ROOT, environment

TOPIC = "orders.v1"
LOOKED = Crossing(Kind.STATEMENT_SENT, fingerprint(LOOK))
WROTE = Crossing(Kind.STATEMENT_SENT, fingerprint(WRITE))
COMMITS = Crossing(Kind.COMMIT_SENT, "COMMIT of INSERT INTO toy")
COMMITTED = Crossing(Kind.COMMIT_ANSWERED, "COMMIT of INSERT INTO toy")
TELLS = Crossing(Kind.PRODUCE_SENT, "toy.Told.v1")
TOLD = Crossing(Kind.PRODUCE_ACKNOWLEDGED, "toy.Told.v1")


@dataclass(frozen=True)
class Toy:
    """The program and what it works on."""

    settings: Settings
    folder: Path
    database: asyncpg.Connection[asyncpg.Record]

    async def runs(self, *deadly: Point) -> tuple[int, Journal]:
        """Run it to its end, in act 3; gives its status and what it crossed."""
        prompter = Prompter(self.folder / "act")
        prompter.announce(3)
        journal = self.folder / "journal"
        variables = environment(
            {
                "FILLSTREAM_DATABASE_URL": self.settings.database_url.get_secret_value(),
                "FILLSTREAM_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
                "FILLSTREAM_KAFKA_PREFIX": self.settings.kafka_prefix,
            }
        )
        arguments = ("-m", "tests.crashpoints.toy", str(journal), str(prompter.path), TOPIC, *map(str, deadly))
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT, env=variables)
        return await process.wait(), Journal.read(journal)

    async def rows(self) -> int:
        """What it has written."""
        return int(await self.database.fetchval("SELECT count(*) FROM toy"))

    async def records(self) -> int:
        """What it has told."""
        async with AIOKafkaConsumer(**connection(self.settings.kafka)) as client:
            topic = self.settings.kafka_prefix + TOPIC
            partitions = [TopicPartition(topic, number) for number in range(self.settings.kafka_partitions)]
            return sum((await client.end_offsets(partitions)).values())


@pytest.fixture
async def toy(settings: Settings, tmp_path: Path) -> AsyncIterator[Toy]:
    database = await asyncpg.connect(settings.database_url.get_secret_value())
    await database.execute("CREATE TABLE toy (n int)")
    yield Toy(settings, tmp_path, database)
    await database.close()


async def test_every_crossing_of_a_transaction_and_a_record_is_counted_and_looking_round_once(toy: Toy) -> None:
    status, journal = await toy.runs()
    assert status == 0
    crossed = list(journal.crossed.items())
    # What the driver says to find out about a type, on a connection of its own accord, comes before.
    crossed = crossed[[crossing for _, crossing in crossed].index(LOOKED) :]
    assert [crossing for _, crossing in crossed] == [LOOKED, WROTE, COMMITS, COMMITTED, LOOKED, TELLS, TOLD]
    assert [str(point) for point, crossing in journal.crossed.items() if crossing == LOOKED] == [
        f"3-{LOOKED.id}.1",
        f"3-{LOOKED.id}.2",
    ]


@pytest.mark.parametrize(
    ("crossing", "rows", "records"),
    [(WROTE, 0, 0), (COMMITS, 0, 0), (COMMITTED, 1, 0), (TELLS, 1, 0), (TOLD, 1, 1)],
    ids=lambda value: str(value.kind) if isinstance(value, Crossing) else str(value),
)
async def test_who_dies_at_a_crossing_has_done_what_comes_before_it(
    toy: Toy, crossing: Crossing, rows: int, records: int
) -> None:
    point = Point(3, crossing.id, 1)
    status, journal = await toy.runs(point)
    assert (status, journal.died_at) == (-signal.SIGKILL, point)
    assert (await toy.rows(), await toy.records()) == (rows, records)


async def test_nobody_dies_in_another_act(toy: Toy) -> None:
    status, journal = await toy.runs(Point(4, COMMITS.id, 1), Point(3, COMMITS.id, 2))
    assert (status, journal.died_at) == (0, None)
