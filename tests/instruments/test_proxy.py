"""The proxy does to connections what its words say, and nothing else."""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.instruments.proxy import LOOPBACK, Proxy, proxying, proxying_postgres
from tests.instruments.weather import Cut, Line, Moment
from tests.timing import taking_at_least
from tests.world import PATIENCE_SECONDS, eventually


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    """A server that answers every line with itself; gives its port."""
    lines: list[bytes] = []

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        while line := await reader.readline():
            lines.append(line)
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(answer, LOOPBACK, 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy before an echo."""
    async with echoing() as port, proxying(port) as between:
        yield between


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, line: bytes) -> None:
        self.writer.write(line + b"\n")

    async def hear(self) -> bytes:
        """The next line."""
        return (await asyncio.wait_for(self.reader.readline(), PATIENCE_SECONDS)).strip()

    async def asks(self, line: bytes) -> bytes:
        self.say(line)
        return await self.hear()


@asynccontextmanager
async def a_client(proxy: Proxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    yield Client(reader, writer)
    writer.close()


async def the_server_answers_others(proxy: Proxy) -> None:
    """Several answers around the proxy: what was sent through it before would have been answered by then."""
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.target_port)
    around = Client(reader, writer)
    for number in range(20):
        assert await around.asks(b"%d" % number) == b"%d" % number
    writer.close()


async def test_what_is_sent_arrives(proxy: Proxy) -> None:
    async with a_client(proxy) as client:
        assert await client.asks(b"hello") == b"hello"
        client.say(b"x" * 60_000)
        assert len(await client.hear()) == 60_000


async def test_a_reset_connection_is_told_so_and_the_next_one_works(proxy: Proxy) -> None:
    async with a_client(proxy) as client:
        assert await client.asks(b"hello") == b"hello"
        assert proxy.cut(Cut.RESET) == 1
        with pytest.raises(ConnectionResetError):
            await client.hear()
    async with a_client(proxy) as client:
        assert await client.asks(b"again") == b"again"


async def test_an_ended_connection_ends_in_peace(proxy: Proxy) -> None:
    async with a_client(proxy) as client:
        assert await client.asks(b"hello") == b"hello"
        assert proxy.cut(Cut.END) == 1
        assert await client.hear() == b""


async def test_a_refusing_port_keeps_those_who_are_in(proxy: Proxy) -> None:
    async with a_client(proxy) as client:
        assert await client.asks(b"hello") == b"hello"
        await proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, proxy.port)
        assert await client.asks(b"still") == b"still"
    await proxy.accept()
    async with a_client(proxy) as client:
        assert await client.asks(b"again") == b"again"


async def test_a_black_hole_accepts_and_is_silent_until_it_ends(proxy: Proxy) -> None:
    async with a_client(proxy) as old:
        assert await old.asks(b"hello") == b"hello"
        proxy.black_hole()
        async with a_client(proxy) as new:
            old.say(b"old")
            new.say(b"new")
            hearing = [asyncio.create_task(client.hear()) for client in (old, new)]
            await the_server_answers_others(proxy)
            assert not any(one.done() for one in hearing)
            proxy.recover()
            assert await asyncio.gather(*hearing) == [b"old", b"new"]


async def test_a_cut_in_a_black_hole_ends_the_connection(proxy: Proxy) -> None:
    async with a_client(proxy) as client:
        assert await client.asks(b"hello") == b"hello"
        proxy.black_hole()
        client.say(b"swallowed")
        proxy.cut(Cut.RESET)
        with pytest.raises(ConnectionResetError):
            await client.hear()

        async def nobody_left() -> None:
            assert not proxy.connections

        await eventually(nobody_left)


async def test_a_delayed_answer_is_late_by_both_ways(proxy: Proxy) -> None:
    async with a_client(proxy) as client:
        proxy.line = Line(delay_seconds=0.2)
        with taking_at_least(0.4):
            assert await client.asks(b"hello") == b"hello"


async def test_a_narrow_line_takes_its_time(proxy: Proxy) -> None:
    async with a_client(proxy) as client:
        proxy.line = Line(bytes_per_second=20_000)
        # Both ways overlap.
        with taking_at_least(0.5):
            client.say(b"x" * 9_999)
            assert len(await client.hear()) == 9_999


async def test_a_held_connection_is_overtaken(proxy: Proxy) -> None:
    async with a_client(proxy) as first:
        assert await first.asks(b"hello") == b"hello"
        proxy.connections[0].hold()
        first.say(b"first")
        async with a_client(proxy) as second:
            hearing = asyncio.create_task(first.hear())
            assert await second.asks(b"second") == b"second"
            assert not hearing.done()
        proxy.connections[0].release()
        assert await hearing == b"first"


async def test_jitter_reorders_connections_but_not_bytes(proxy: Proxy) -> None:
    arrived: list[int] = []

    async def ask(number: int) -> None:
        async with a_client(proxy) as client:
            for line in (b"one", b"two", b"three"):
                client.say(line)
                await asyncio.sleep(0.01)
            assert [await client.hear() for _ in range(3)] == [b"one", b"two", b"three"]
            arrived.append(number)

    proxy.line = Line(jitter_seconds=0.3)
    await asyncio.gather(*map(ask, range(10)))
    assert sorted(arrived) == list(range(10))
    assert arrived != sorted(arrived)


async def test_a_server_that_is_down_is_a_reset_connection() -> None:
    async with echoing() as port:
        pass
    async with proxying(port) as proxy, a_client(proxy) as client:
        with pytest.raises(ConnectionResetError):
            await client.hear()


@pytest.fixture
async def postgres(database_url: str) -> AsyncIterator[Proxy]:
    """A proxy before PostgreSQL."""
    port = urlsplit(database_url).port
    assert port is not None
    async with proxying_postgres(port) as proxy:
        yield proxy


@pytest.fixture
async def aside(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that goes around the proxy, to a table of ours."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE kept (number int)")
    yield connection
    await connection.close()


@asynccontextmanager
async def connected(proxy: Proxy, url: str, name: str = "somebody") -> AsyncIterator[asyncpg.Connection]:
    """A connection through the proxy."""
    there = urlsplit(url)
    through = urlunsplit(there._replace(netloc=f"{there.username}:{there.password}@{proxy.address}"))
    connection = await asyncpg.connect(through, server_settings={"application_name": name})
    yield connection
    connection.terminate()


async def numbers(connection: asyncpg.Connection) -> list[int]:
    return [row[0] for row in await connection.fetch("SELECT number FROM kept ORDER BY 1")]


async def insert_and_commit(connection: asyncpg.Connection, number: int) -> None:
    async with connection.transaction():
        await connection.execute("INSERT INTO kept VALUES ($1)", number)


LOST = (ConnectionError, asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError)


async def test_a_connection_cut_after_its_commit_was_sent_has_committed(
    postgres: Proxy, aside: asyncpg.Connection, database_url: str
) -> None:
    async with connected(postgres, database_url) as connection:
        await insert_and_commit(connection, 1)
        trap = postgres.arm(Moment.AFTER)
        with pytest.raises(LOST):
            await insert_and_commit(connection, 2)
        assert (trap.left, trap.sprung) == (0, 1)

    async def both() -> None:
        assert await numbers(aside) == [1, 2]

    await eventually(both)


async def test_a_connection_cut_before_its_commit_arrived_has_not_committed(
    postgres: Proxy, aside: asyncpg.Connection, database_url: str
) -> None:
    async with connected(postgres, database_url) as connection:
        await insert_and_commit(connection, 1)
        postgres.arm(Moment.BEFORE)
        with pytest.raises(LOST):
            await insert_and_commit(connection, 2)
    async with connected(postgres, database_url) as connection:
        await insert_and_commit(connection, 3)

    async def ended() -> None:
        assert not await aside.fetch("SELECT 1 FROM pg_stat_activity WHERE application_name = 'somebody'")

    await eventually(ended)
    assert await numbers(aside) == [1, 3]


@pytest.mark.parametrize(("moment", "kept"), [(Moment.AFTER, [7]), (Moment.BEFORE, [])], ids=["after", "before"])
async def test_a_commit_of_the_extended_protocol_is_seen(
    postgres: Proxy, aside: asyncpg.Connection, database_url: str, moment: Moment, kept: list[int]
) -> None:
    async with connected(postgres, database_url) as connection:
        await connection.execute("BEGIN; INSERT INTO kept VALUES (7)")
        prepared = await connection.prepare("COMMIT")
        postgres.arm(moment)
        with pytest.raises(LOST):
            await prepared.fetch()

    async def so() -> None:
        assert not await aside.fetch("SELECT 1 FROM pg_stat_activity WHERE application_name = 'somebody'")
        assert await numbers(aside) == kept

    await eventually(so)


async def test_a_statement_that_commits_by_itself_can_be_cut_off_from_its_answer(
    postgres: Proxy, aside: asyncpg.Connection, database_url: str
) -> None:
    async with connected(postgres, database_url) as connection:
        trap = postgres.arm(Moment.AFTER, statement=re.compile("INSERT INTO kept"))
        with pytest.raises(LOST):
            await connection.execute("INSERT INTO kept VALUES ($1)", 9)
        assert trap.sprung == 1

    async def kept() -> None:
        assert await numbers(aside) == [9]

    await eventually(kept)


async def test_a_trap_for_one_application_lets_the_others_commit(
    postgres: Proxy, aside: asyncpg.Connection, database_url: str
) -> None:
    trap = postgres.arm(Moment.AFTER, application="fillstream-orders")
    async with (
        connected(postgres, database_url, "fillstream-billing-api") as other,
        connected(postgres, database_url, "fillstream-orders-api") as meant,
    ):
        await insert_and_commit(other, 1)
        assert trap.sprung == 0
        with pytest.raises(LOST):
            await insert_and_commit(meant, 2)
    assert trap.sprung == 1


async def test_large_messages_pass_a_proxy_that_reads_statements(
    postgres: Proxy, aside: asyncpg.Connection, database_url: str
) -> None:
    async with connected(postgres, database_url) as connection:
        await connection.copy_records_to_table("kept", records=[(number,) for number in range(50_000)])
        assert await connection.fetchval("SELECT length($1::text)", "x" * 3_000_000) == 3_000_000
    assert await aside.fetchval("SELECT count(*) FROM kept") == 50_000
