"""What becomes of work that must not be left half done? It ends, and the cancellation is told afterwards."""

from __future__ import annotations

import asyncio

import pytest

from libs.kit.cancellation import uninterrupted


async def test_the_result_comes_back() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert await uninterrupted(work()) == 7


async def test_an_error_comes_back() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await uninterrupted(work())


@pytest.mark.parametrize("fails", [False, True])
async def test_cancelled_however_often_it_ends_the_work_and_is_cancelled_then(*, fails: bool) -> None:
    go, ended = asyncio.Event(), False

    async def work() -> None:
        nonlocal ended
        await go.wait()
        ended = True
        if fails:
            raise ConnectionError

    task = asyncio.create_task(uninterrupted(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended
