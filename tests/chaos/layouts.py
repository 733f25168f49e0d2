"""On which other servers can a site stand? Behind links that break, on a disk that fills up, on three brokers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from fillstream.embedded.home import Home, open_home
from fillstream.embedded.kafka import KafkaServer
from fillstream.embedded.ports import choose_port
from fillstream.embedded.postgres import PostgresServer, StopMode
from fillstream.embedded.stack import kafka_runtime, remove_home
from tests.chaos.servers import Servers, Unavailable
from tests.instruments.cluster import SIZE, running_cluster
from tests.instruments.disk import MountRefused, SmallDisk, keep_wal_small, small_disk
from tests.instruments.listeners import listeners
from tests.instruments.proxy import proxying_kafka, proxying_postgres


@asynccontextmanager
async def behind_links(folder: Path) -> AsyncIterator[Servers]:
    """One PostgreSQL and one broker; services come to each through a proxy."""
    home = open_home(folder / "home")
    ports = listeners(home)
    kafka = KafkaServer(home, await kafka_runtime(home, lambda _: None), ports.properties())
    async with AsyncExitStack() as stack:
        servers = await _run(stack, home, kafka)
        own = urlsplit(servers.database_url)
        assert own.port is not None
        way = choose_port(home.run / "ports.json", "postgres-proxy")
        postgres_link = await stack.enter_async_context(proxying_postgres(own.port, port=way))
        kafka_link = await stack.enter_async_context(proxying_kafka(ports.clients, port=ports.proxy))
        through = own._replace(netloc=f"{own.username}:{own.password}@{postgres_link.address}")
        yield replace(
            servers,
            links={"postgres": postgres_link, "kafka": kafka_link},
            served_database_url=urlunsplit(through),
            served_kafka_bootstrap=kafka_link.address,
        )


@asynccontextmanager
async def on_a_small_disk(folder: Path) -> AsyncIterator[Servers]:
    """One of each, PostgreSQL with all its files on a small disk. Raises Unavailable where nothing may be mounted."""
    home = open_home(folder / "home")
    async with AsyncExitStack() as stack:
        with _explained():
            disk = await stack.enter_async_context(small_disk())
        disk.hold_postgres(home)
        servers = await _run(stack, home, KafkaServer(home, await kafka_runtime(home, lambda _: None)))
        await keep_wal_small(servers.database_url)
        yield servers


@asynccontextmanager
async def on_three_brokers(folder: Path) -> AsyncIterator[Servers]:
    """One PostgreSQL and three brokers; every partition has three replicas and needs two."""
    home = open_home(folder / "home")
    postgres = PostgresServer(home)
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(running_cluster(folder / "cluster"))
        stack.push_async_callback(remove_home, home.path)
        stack.push_async_callback(postgres.stop, StopMode.IMMEDIATE)
        await postgres.start()
        settings = {"kafka_replication_factor": SIZE}
        yield Servers(postgres, list(cluster.nodes.values()), postgres.url, cluster.bootstrap, settings=settings)


def disk_of(folder: Path) -> SmallDisk:
    """The small disk of a site's folder, where it has one."""
    return SmallDisk((folder / "home" / "postgres").resolve().parent)


async def _run(stack: AsyncExitStack, home: Home, kafka: KafkaServer) -> Servers:
    postgres = PostgresServer(home)
    stack.push_async_callback(remove_home, home.path)
    stack.push_async_callback(kafka.kill)
    stack.push_async_callback(postgres.stop, StopMode.IMMEDIATE)
    await postgres.start()
    await kafka.start()
    return Servers(postgres, [kafka], postgres.url, kafka.bootstrap)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except MountRefused as refused:
        raise Unavailable(str(refused)) from refused
