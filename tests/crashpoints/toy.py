"""A program with one transaction and one record: `python -m tests.crashpoints.toy JOURNAL ACT TOPIC [POINT]`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import asyncpg

from libs.kit.kafka import producer
from libs.kit.settings import Settings
from tests.crashpoints.boundaries import count_crossings
from tests.crashpoints.crossings import Counting, Point, Prompter

LOOK = "SELECT count(*) FROM toy WHERE n = ANY($1::int[])"
WRITE = "INSERT INTO toy VALUES ($1)"


async def program(settings: Settings, topic: str) -> None:
    """Look three times as if for work, write a row, tell of it."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    for _ in range(3):
        await connection.fetchval(LOOK, [1, 2])
    async with connection.transaction():
        await connection.execute(WRITE, 1)
    await connection.fetchval(LOOK, [1])
    async with producer(settings.kafka, "toy") as client:
        await (await client.send(settings.kafka_prefix + topic, b"{}", headers=[("ce_type", b"toy.Told.v1")]))
    await connection.close()


def main(journal: str, prompt: str, topic: str, *deadly: str) -> None:
    """Run it, counted."""
    settings = Settings()
    file = os.open(journal, os.O_WRONLY | os.O_CREAT, 0o600)
    with Prompter(Path(prompt)).listening() as act:
        count_crossings(Counting(file, act, frozenset(map(Point.parse, deadly))), settings.kafka_prefix)
        asyncio.run(program(settings, topic))


if __name__ == "__main__":
    main(*sys.argv[1:])
