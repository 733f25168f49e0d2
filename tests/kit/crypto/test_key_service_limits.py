"""How much may a key service take of us? So much time for one answer, and so many threads that wait."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass, field

import pytest

from libs.kit.crypto import in_time
from libs.kit.crypto.in_time import InTime
from libs.kit.crypto.key_encryption import Binding, KeyServiceAway, WrappedKey
from libs.kit.crypto.threads import key_threads
from libs.kit.ids import uuid7
from tests.world import eventually

KEY = os.urandom(32)
BINDING = Binding("auth", uuid7(), str(uuid7()))


@dataclass
class Dawdling:
    """A key that takes nearly as long as one answer may, again and again."""

    answers: int
    times: list[float] = field(default_factory=list)

    async def unwrap(self, _wrapped: WrappedKey, _binding: Binding, /) -> bytes:
        for _ in range(self.answers):
            await asyncio.sleep(0.1)
        return KEY

    async def wrap(self, _key: bytes, _binding: Binding, /) -> WrappedKey:
        raise NotImplementedError

    async def rewrap(self, _wrapped: WrappedKey, _binding: Binding, /) -> WrappedKey:
        raise NotImplementedError

    async def renew(self) -> str | None:
        raise NotImplementedError


async def test_all_that_one_answer_needs_comes_within_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_time, "ALL_ANSWERS_SECONDS", 0.5)
    wrapped = WrappedKey(b"", "x")

    assert await InTime(Dawdling(1)).unwrap(wrapped, BINDING) == KEY
    with pytest.raises(KeyServiceAway, match=r"within 0\.5 s"):
        await InTime(Dawdling(60)).unwrap(wrapped, BINDING)


async def test_no_more_threads_wait_for_a_service_than_are_meant_to() -> None:
    busy, let_go = list[int](), threading.Event()

    def work() -> None:
        busy.append(1)
        let_go.wait()

    async def two_are_busy() -> None:
        assert len(busy) == 2

    with key_threads(2) as threads:
        asking = [asyncio.create_task(threads.run(work)) for _ in range(9)]
        # All nine have asked by then: they began before anybody could be busy.
        await eventually(two_are_busy)
        for one in asking:
            one.cancel()
        await asyncio.wait(asking)
        let_go.set()
    assert len(busy) == 2
