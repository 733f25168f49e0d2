"""What can a network do to its connections? A TCP port that forwards to another, and lets tests do all of it."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from libs.kit.cancellation import end
from tests.instruments.requests import RequestScanner
from tests.instruments.scanning import Piece, PlainScanner, Scanner
from tests.instruments.statements import StatementScanner
from tests.instruments.weather import CLEAR, COMMIT, Cut, Moment, Trap

LOOPBACK = "127.0.0.1"
_CHUNK = 65_536
_CHUNKS_ON_THE_WAY = 1_000
_SLICES_PER_SECOND = 10
_ANSWER_SECONDS = 60.0
_AT_ONCE = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards a port of the loopback to a server, and breaks the connections as it is told. Run by `proxying`."""

    def __init__(self, port: int, target_port: int, scanner: Callable[[], Scanner], seed: int) -> None:
        self.line = CLEAR
        self.port = port
        self.target_port = target_port
        self.scanner = scanner
        self.chance = random.Random(seed)
        self.connections: list[Connection] = []
        self.trap: Trap | None = None
        self.audible = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.audible.set()

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"{LOOPBACK}:{self.port}"

    async def accept(self) -> None:
        """Take connections, again if need be."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections; those that are open go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def cut(self, how: Cut = Cut.RESET) -> int:
        """End all connections, and tell how many there were."""
        open_now = list(self.connections)
        for connection in open_now:
            connection.cut(how)
        return len(open_now)

    def black_hole(self) -> None:
        """Let nothing through from now on, neither way; new connections are accepted and hear nothing."""
        self.audible.clear()

    def recover(self) -> None:
        """End of the black hole; what it swallowed arrives now, as TCP would send it again."""
        self.audible.set()

    def arm(self, moment: Moment, times: int = 1, statement: re.Pattern[str] = COMMIT, application: str = "") -> Trap:
        """Cut connections around a statement or request, the next `times` times that an application of this prefix sends it."""
        self.trap = Trap(moment, times, statement, application)
        return self.trap

    def disarm(self) -> None:
        """Cut around no statement any more."""
        self.trap = None

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        self.connections.append(connection)
        self._serving |= {task for task in [asyncio.current_task()] if task}
        try:
            await connection.run()
        finally:
            self.connections.remove(connection)

    async def ended(self) -> None:
        """Wait until every connection that was cut has ended."""
        await asyncio.gather(*self._serving)


class Connection:
    """One client's connection through the proxy, and the proxy's to the server for it."""

    def __init__(self, proxy: Proxy, reader: StreamReader, writer: StreamWriter) -> None:
        self._proxy = proxy
        self._from_client, self._client = reader, writer
        self._server: StreamWriter | None = None
        self._scanner = proxy.scanner()
        self._free = asyncio.Event()
        self._over = asyncio.Event()
        self._deaf = False
        self._free.set()

    @property
    def application(self) -> str:
        """The client's name, where it has one."""
        return self._scanner.application

    def hold(self) -> None:
        """Keep what arrives from now on, in both directions, until `release`."""
        self._free.clear()

    def release(self) -> None:
        """Let what was kept go on."""
        self._free.set()

    def cut(self, how: Cut) -> None:
        """End both halves."""
        self._over.set()
        _end(self._client, how)
        if self._server is not None:
            _end(self._server, how)

    async def run(self) -> None:
        """Forward until one side ends."""
        over = asyncio.create_task(self._until_cut())
        forwarding = asyncio.create_task(self._forward())
        try:
            await asyncio.wait({over, forwarding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(over, forwarding)
            self.cut(Cut.END)

    async def _until_cut(self) -> None:
        await self._over.wait()

    async def _forward(self) -> None:
        await self._passable()
        try:
            from_server, self._server = await asyncio.open_connection(LOOPBACK, self._proxy.target_port)
        except OSError:
            # What a client sees when the server behind a load balancer is down.
            return self.cut(Cut.RESET)
        ways = [
            asyncio.create_task(self._carry(self._from_client, self._to_server)),
            asyncio.create_task(self._carry(from_server, self._to_client)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if self._deaf:
                # The server does what it was asked, and answers to nobody.
                await asyncio.wait(ways[1:], timeout=_ANSWER_SECONDS)
        finally:
            await end(*ways)

    async def _passable(self) -> None:
        """Wait while the connection is held or nothing is let through."""
        while not (self._free.is_set() and self._proxy.audible.is_set()):
            await self._free.wait()
            await self._proxy.audible.wait()

    async def _carry(self, reader: StreamReader, deliver: Callable[[bytes], Awaitable[None]]) -> None:
        """Take chunks from one side and deliver them to the other, each when its time has come."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_ON_THE_WAY)
        reading = asyncio.create_task(self._read(reader, on_the_way))
        try:
            with suppress(ConnectionError):
                while chunk := await self._due(on_the_way):
                    await deliver(chunk)
        finally:
            await end(reading)

    async def _read(self, reader: StreamReader, on_the_way: asyncio.Queue[tuple[float, bytes]]) -> None:
        """Give each chunk its time; the empty one is the end."""
        chunk = b"the first"
        while chunk:
            try:
                chunk = await reader.read(_CHUNK)
            except ConnectionError:
                chunk = b""
            line = self._proxy.line
            late = line.delay_seconds + self._proxy.chance.uniform(0, line.jitter_seconds)
            await on_the_way.put((asyncio.get_running_loop().time() + late, chunk))

    async def _due(self, on_the_way: asyncio.Queue[tuple[float, bytes]]) -> bytes:
        due, chunk = await on_the_way.get()
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        await self._passable()
        return chunk

    async def _to_server(self, chunk: bytes) -> None:
        for piece in self._scanner.feed(chunk):
            trap = self._proxy.trap
            if trap is None or not trap.takes(piece, self.application):
                await self._write(self._server, piece.data)
                continue
            trap.snap()
            await self._spring(trap, piece)
            return

    async def _spring(self, trap: Trap, piece: Piece) -> None:
        """Cut the client around a statement."""
        if trap.moment is Moment.AFTER:
            self._deaf = True
            await self._write(self._server, piece.data + piece.farewell)
            _end(self._client, Cut.RESET)
            return
        self.cut(Cut.RESET)

    async def _to_client(self, chunk: bytes) -> None:
        if not self._deaf:
            await self._write(self._client, chunk)

    async def _write(self, writer: StreamWriter | None, data: bytes) -> None:
        if writer is None:
            raise AssertionError
        rate = self._proxy.line.bytes_per_second
        size = len(data) if rate is None else max(1, int(rate / _SLICES_PER_SECOND))
        for first in range(0, len(data), size):
            writer.write(data[first : first + size])
            await writer.drain()
            if rate is not None:
                await asyncio.sleep(size / rate)


def _end(writer: StreamWriter, how: Cut) -> None:
    if how is Cut.END:
        writer.close()
        return
    own = writer.get_extra_info("socket")
    # One that has ended already has no socket, or no descriptor, as the event loop likes it.
    with suppress(OSError, ValueError):
        if own is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    writer.transport.abort()


@asynccontextmanager
async def proxying(
    target_port: int, *, port: int = 0, scanner: Callable[[], Scanner] = PlainScanner, seed: int = 0
) -> AsyncIterator[Proxy]:
    """A proxy of a server on the loopback; on a free port unless told."""
    proxy = Proxy(port, target_port, scanner, seed)
    await proxy.accept()
    try:
        yield proxy
    finally:
        await proxy.refuse()
        proxy.cut()
        await proxy.ended()


def proxying_kafka(target_port: int, *, port: int = 0, seed: int = 0) -> AbstractAsyncContextManager[Proxy]:
    """A proxy that understands Kafka's clients; `listeners.py` tells how they come to go through it."""
    return proxying(target_port, port=port, scanner=RequestScanner, seed=seed)


def proxying_postgres(target_port: int, *, port: int = 0, seed: int = 0) -> AbstractAsyncContextManager[Proxy]:
    """A proxy that understands PostgreSQL's clients, so that they can be cut around a statement."""
    return proxying(target_port, port=port, scanner=StatementScanner, seed=seed)
