"""Which servers does a site stand on? One of each, with a link before each that can be cut, or others of that shape."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from fillstream.embedded.home import open_home
from fillstream.embedded.kafka import KafkaServer
from fillstream.embedded.postgres import PostgresServer, StopMode
from fillstream.embedded.stack import kafka_runtime, remove_home
from tests.instruments.proxy import Proxy


class Broker(Protocol):
    """A Kafka node that can be taken away and brought back."""

    async def start(self) -> None:
        """Run it on what its disk holds, until it answers."""

    async def stop(self) -> None:
        """Stop it gracefully."""

    async def kill(self) -> None:
        """Kill it as a crash would."""


class Postgres(Protocol):
    """A PostgreSQL server that can be taken away and brought back."""

    async def start(self) -> None:
        """Run it until it answers."""

    async def stop(self, mode: StopMode = StopMode.FAST) -> None:
        """Stop it in one of PostgreSQL's ways."""

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""


class Unavailable(Exception):
    """This machine can't have servers of a layout; the text says why."""


@dataclass(frozen=True)
class Servers:
    """PostgreSQL and Kafka, and how to come to them."""

    postgres: Postgres
    brokers: Sequence[Broker]
    database_url: str = field(repr=False)
    """As the administrator comes to the database, past the links."""
    kafka_bootstrap: str
    """As the administrator comes to the brokers, past the links."""
    links: Mapping[str, Proxy] = field(default_factory=dict)
    """What services go through: `postgres`, and `kafka` or one for each broker; empty where they go straight."""
    served_database_url: str | None = field(default=None, repr=False)
    """As services come to the database, where that is another way."""
    served_kafka_bootstrap: str | None = None
    """As services come to the brokers, where that is another way."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """What all services have to be told of these servers, such as `kafka_replication_factor`."""


Layout = Callable[[Path], AbstractAsyncContextManager[Servers]]
"""Runs servers with their data under a folder; they are gone when the body ends. Raises Unavailable."""


@asynccontextmanager
async def one_of_each(folder: Path) -> AsyncIterator[Servers]:
    """One PostgreSQL and one broker, reached straight."""
    home = open_home(folder / "home")
    postgres, kafka = PostgresServer(home), KafkaServer(home, await kafka_runtime(home, lambda _: None))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(remove_home, home.path)
        stack.push_async_callback(kafka.kill)
        stack.push_async_callback(postgres.stop, StopMode.IMMEDIATE)
        await postgres.start()
        await kafka.start()
        yield Servers(postgres, [kafka], postgres.url, kafka.bootstrap)
