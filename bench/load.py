"""Who asks over HTTP? A process of its own with so many connections, each with one request at a time.

`python -m bench.load` reads a `Load` as JSON from its input and writes an `Answered` as JSON to its output.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from itertools import count, cycle
from statistics import quantiles
from urllib.parse import urlsplit

import uvloop

_PLACE_OF_NUMBER = b"{number}"
_HUNDREDTHS = 100
# However slow the machine: fewer say nothing of a hundredth.
_FEWEST_ANSWERS = 100


@dataclass(frozen=True)
class Request:
    """What is asked; `{number}` in a header stands for a number that no other request has."""

    method: str
    path: str
    headers: dict[str, str]
    body: str = ""

    def raw(self, host: str) -> bytes:
        headers = {"Host": host, **self.headers}
        if self.body:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(self.body.encode()))}
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n" + self.body).encode()


@dataclass(frozen=True)
class Load:
    """Who is asked what, for how long."""

    url: str
    status: int
    """The only right answer; another one ends the process."""
    connections: int
    warmup_seconds: float
    seconds: float
    requests: list[Request]


@dataclass(frozen=True)
class Answered:
    """What came of it."""

    answers: int
    """All of them, those of the warm-up as well."""
    per_second: float
    p50_ms: float
    p99_ms: float


async def ask(load: Load) -> Answered:
    """Let a process of its own ask. Raises RuntimeError when it gets a wrong answer."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate(json.dumps(asdict(load)).encode())
    if process.returncode != 0:
        raise RuntimeError(f"{load.url} did not answer {load.status} throughout")
    return Answered(**json.loads(told))


class _Asker(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answered: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _content_length(self._received[:head])
        if len(self._received) >= head + 4 + length and self._answered is not None:
            answer, self._received = bytes(self._received), bytearray()
            self._answered.set_result(answer)

    def connection_lost(self, _: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionError("the connection was closed before there was an answer"))

    async def ask(self, request: bytes) -> bytes:
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answered


def _content_length(head: bytes | bytearray) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


async def _measure(load: Load) -> Answered:
    address = urlsplit(load.url)
    numbers = count()
    requests = cycle([request.raw(address.netloc) for request in load.requests])
    begun = time.perf_counter() + load.warmup_seconds
    until = begun + load.seconds
    warm, took = 0, list[float]()

    async def keep_asking() -> None:
        nonlocal warm
        _, asker = await asyncio.get_running_loop().create_connection(_Asker, address.hostname, address.port)
        while (asked := time.perf_counter()) < until or len(took) < _FEWEST_ANSWERS:
            answer = await asker.ask(next(requests).replace(_PLACE_OF_NUMBER, str(next(numbers)).encode()))
            if int(answer[9:12]) != load.status:
                raise RuntimeError(answer.decode(errors="replace"))
            if asked >= begun:
                took.append(time.perf_counter() - asked)
            else:
                warm += 1

    await asyncio.gather(*(keep_asking() for _ in range(load.connections)))
    seconds = time.perf_counter() - begun
    cuts = quantiles(took, n=_HUNDREDTHS)
    return Answered(warm + len(took), len(took) / seconds, cuts[49] * 1000, cuts[98] * 1000)


def main() -> None:
    """Ask and tell."""
    given = json.load(sys.stdin)
    load = Load(**given | {"requests": [Request(**request) for request in given["requests"]]})
    json.dump(asdict(uvloop.run(_measure(load))), sys.stdout)


if __name__ == "__main__":
    main()
