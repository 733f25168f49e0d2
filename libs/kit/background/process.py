"""What is a helper to its process? A child at the other end of a socket pair, which answers questions in their order."""

from __future__ import annotations

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import socketpair
from typing import TypeVar, TypeVarTuple, cast

from libs.kit.background.answering import SIZE_BYTES
from libs.kit.errors import Overloaded

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
# Without `site` it starts in half the time: what that would add is in the path already.
_COMMAND = (sys.executable, "-S", "-P", "-m", "libs.kit.background")
_END_SECONDS = 5.0
_RETRY_SECONDS = 2


# What a helper has worked with it keeps for the next time (glibc; others leave these alone): to get 64 MiB from the system
# and give them back took a quarter of a hash, and the system's time with it.
_KEEPS_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 31)}


def _environment() -> dict[str, str]:
    """Where the code is, and nothing else of ours: secrets are there."""
    return {"PYTHONPATH": os.pathsep.join(sys.path)} | _KEEPS_MEMORY


class HelperLost(Overloaded):
    """There is no process to do the work, or none for long: the system is short of memory, or somebody kills them."""


def _lost() -> HelperLost:
    return HelperLost("a process that computes for us has ended", retry_after=_RETRY_SECONDS)


class Helper:
    """One process. It ends when its line does: with us, however we end. Raises HelperLost when it can't be started."""

    def __init__(self) -> None:
        self.asked = 0
        """Questions that it has not answered yet."""
        self._last: asyncio.Future[None] | None = None
        self._ended = False
        self._line, theirs = socketpair()
        self._line.setblocking(False)
        with theirs:
            try:
                self._process = subprocess.Popen(_COMMAND, stdin=theirs.fileno(), env=_environment())  # noqa: S603
            except OSError as error:
                self._line.close()
                raise _lost() from error

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether it can be asked."""
        return not self._ended and self._process.poll() is None

    async def ask(self, work: Callable[[*Ts], T], *arguments: *Ts) -> Callable[[], T]:
        """Have a function called; what that gave or raised, the result gives or raises. Raises HelperLost.

        Several may ask; each question is to fit into what a socket takes at once.
        """
        question = pickle.dumps((work, arguments))
        with self._place() as before:
            try:
                answer = await self._answer(question, before)
            except BaseException:
                # Nobody knows what it would answer next.
                self.end()
                raise
        # From our own child, over a line that nobody else holds.
        done, failure = pickle.loads(answer)  # noqa: S301

        def result() -> T:
            if failure is not None:
                raise failure
            return cast("T", done)

        return result

    async def _answer(self, question: bytes, before: asyncio.Future[None] | None) -> bytes:
        heard = await self._tell(question)
        if before is not None:
            # Until then they read: to end the line meanwhile would leave them waiting for ever.
            await asyncio.shield(before)
        if not heard or self._ended:
            raise _lost()
        try:
            return await self._read(int.from_bytes(await self._read(SIZE_BYTES)))
        except (OSError, EOFError) as error:
            raise _lost() from error

    @contextmanager
    def _place(self) -> Iterator[asyncio.Future[None] | None]:
        """A place among those who wait for an answer; gives the end of whoever stands before."""
        before, self._last = self._last, asyncio.get_running_loop().create_future()
        mine = self._last
        self.asked += 1
        try:
            yield before
        finally:
            self.asked -= 1
            mine.set_result(None)
            if self._last is mine:
                self._last = None

    def end(self) -> None:
        """Let it go, whatever it does."""
        self._ended = True
        self._line.close()
        self._process.kill()
        self._process.wait(_END_SECONDS)

    async def _tell(self, question: bytes) -> bool:
        """Whether it can hear us."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._line, question)
        except OSError:
            return False
        return True

    async def _read(self, size: int) -> bytes:
        loop, read = asyncio.get_running_loop(), b""
        while len(read) < size:
            part = await loop.sock_recv(self._line, size - len(read))
            if not part:
                raise EOFError
            read += part
        return read
