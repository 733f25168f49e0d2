"""How do PostgreSQL and Kafka come up and go down together?"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from fillstream.embedded import kafka, postgres
from fillstream.embedded.aot import with_aot_cache
from fillstream.embedded.concurrency import together
from fillstream.embedded.errors import StackError, said
from fillstream.embedded.home import Home, is_used, only_user, open_home
from fillstream.embedded.jars import ensure_jars, kafka_version, locked_jars
from fillstream.embedded.java import find_java
from fillstream.embedded.kafka import KafkaRuntime, KafkaServer
from fillstream.embedded.postgres import PostgresServer
from libs.kit.cancellation import uninterrupted

__all__ = ["Endpoints", "StackError", "embedded_stack", "kafka_runtime", "remove_home", "running_endpoints"]


@dataclass(frozen=True)
class Endpoints:
    """Where the running servers are: PostgreSQL's superuser URL of the database `fillstream`, Kafka's bootstrap."""

    database_url: str = field(repr=False)
    kafka_bootstrap: str


@asynccontextmanager
async def embedded_stack(home: Path, report: Callable[[str], None]) -> AsyncIterator[Endpoints]:
    """Run PostgreSQL and Kafka with their data under `home`, and stop both at the end, however it comes.

    `report` is told in a few words what is going on. Raises StackError when the stack cannot start, also when a
    living process already runs it.
    """
    place = open_home(home)
    with only_user(place):
        stack = _Stack(place, report)
        try:
            await stack.start()
            _tell_others(place, stack.endpoints)
            yield stack.endpoints
        finally:
            place.endpoints.unlink(missing_ok=True)
            await uninterrupted(stack.stop())


def running_endpoints(home: Path) -> Endpoints | None:
    """Where the servers are that another process runs on this home; None when nobody does."""
    place = Home(home.expanduser().resolve())
    if not place.run.is_dir() or not is_used(place) or not place.endpoints.exists():
        return None
    return Endpoints(**json.loads(place.endpoints.read_text()))


def _tell_others(place: Home, endpoints: Endpoints) -> None:
    # Written whole under another name first, so that nobody reads half of it.
    draft = place.endpoints.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(asdict(endpoints)))
    draft.replace(place.endpoints)


async def remove_home(home: Path) -> None:
    """Delete a home and all its data, also what lies outside it. Raises StackError while a stack uses it."""
    place = open_home(home)
    with only_user(place):
        await asyncio.gather(postgres.without_left_over(place), kafka.without_left_over(place))
        shutil.rmtree(place.postgres.resolve(), ignore_errors=True)
        shutil.rmtree(place.path)


async def kafka_runtime(home: Home, report: Callable[[str], None]) -> KafkaRuntime:
    """Java, the verified archives and the start-up cache, each fetched or made if it is missing."""
    java, jars, cache = find_java(), locked_jars(), home.cache()
    files = await ensure_jars(jars, cache, report)
    return await with_aot_cache(KafkaRuntime(java, files), kafka_version(jars), cache, report)


class _Stack:
    """The two servers of a home."""

    def __init__(self, home: Home, report: Callable[[str], None]) -> None:
        self._home = home
        self._report = report
        self._postgres = PostgresServer(home)
        self._kafka: KafkaServer | None = None

    @property
    def endpoints(self) -> Endpoints:
        if self._kafka is None:
            raise AssertionError
        return Endpoints(self._postgres.url, self._kafka.bootstrap)

    async def start(self) -> None:
        self._report("starting PostgreSQL and Kafka")
        with said(f"The stack of {self._home.path} cannot start"):
            await together(self._start_kafka(), self._postgres.start())
        self._report("PostgreSQL and Kafka are ready")

    async def _start_kafka(self) -> None:
        self._kafka = KafkaServer(self._home, await kafka_runtime(self._home, self._report))
        await self._kafka.start()

    async def stop(self) -> None:
        await asyncio.gather(self._postgres.stop(), *([self._kafka.stop()] if self._kafka else []))
