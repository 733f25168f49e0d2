"""Does the site make progress? An order and a bar go in over HTTP; all that follows is done everywhere, and all is ready."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias
from uuid import UUID

import asyncpg

from fillstream.contexts import load_all
from libs.kit.cancellation import end
from libs.kit.ids import uuid7
from libs.schema.orders import OrderFilled
from tests.chaos.crowd import Crowd, Trader
from tests.chaos.site import Site

PROBE = "PROBE"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_PAUSE_SECONDS = 0.2
_POLL_SECONDS = 0.1
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class NoProgress(AssertionError):
    """No probe came through in all the time that it had."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One probe that came through, in `time.monotonic()`."""

    began: float
    ended: float


@dataclass(eq=False)
class Prober:
    """Sends one probe after the other."""

    site: Site
    crowd: Crowd
    trader: Trader
    passages: list[Passage] = field(default_factory=list)
    _passed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _task: asyncio.Task[None] | None = None
    _waits_for: str = "nothing yet"

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Probe while the body runs."""
        task = self._task = asyncio.create_task(self._probe_on(), name="prober")
        try:
            yield
        finally:
            await end(task)

    async def resumed(self, since: float, within: float) -> float:
        """Seconds from a moment until a probe that began after it had come through. Raises NoProgress."""

        def passage() -> Passage | None:
            return next((one for one in self.passages if one.began >= since), None)

        try:
            async with self._passed, asyncio.timeout(within):
                await self._passed.wait_for(lambda: passage() is not None)
        except TimeoutError:
            raise NoProgress(f"no probe came through within {within:.0f} s: {self._stands()}") from None
        found = passage()
        assert found is not None
        return found.ended - since

    def _stands(self) -> str:
        """Where the present probe stands; one that died of an error would else look like a site without progress."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            return f"the prober has died: {self._task.exception()!r}"
        return f"it waits for {self._waits_for}"

    async def _probe_on(self) -> None:
        while True:
            began = time.monotonic()
            if await self._probe():
                async with self._passed:
                    self.passages.append(Passage(began, time.monotonic()))
                    self._passed.notify_all()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _probe(self) -> bool:
        key = str(uuid7())
        side = "SELL" if len(self.passages) % 2 else "BUY"
        body = {"symbol": PROBE, "side": side, "quantity": "1", "order_type": "MARKET", "client_order_id": key}
        self._waits_for = "the order's answer"
        order = await self.crowd.place(self.trader, body, key)
        if order is None:
            return False
        self._waits_for = "the bar's answer"
        bar = await self.crowd.tell_bars((PROBE,), after=order.submitted_at)
        if bar is None:
            return False
        self._waits_for = f"what follows from order {order.id} and bar {bar}"
        await self._until_posted(order.id, [order.correlation_id, bar])
        await self._until_every_context_is_ready()
        return True

    async def _until_posted(self, order_id: UUID, chain: list[UUID]) -> None:
        """Wait until portfolio has posted the fill, and every context has consumed whatever came of order and bar."""
        while True:
            with suppress(*_AWAY):
                async with self.site.administrator() as connection:
                    await _until(lambda: _is_done(connection, order_id, chain))
                    return
            await asyncio.sleep(_POLL_SECONDS)

    async def _until_every_context_is_ready(self) -> None:
        """Wait until each context has a replica that is ready, so that its requests are answered."""
        for context in self.site.contexts:
            self._waits_for = f"{context} to be ready"
            await _until(partial(self._is_any_ready, context))

    async def _is_any_ready(self, context: str) -> bool:
        replicas = [process for process in self.site.running if process.place.context == context]
        return any(await asyncio.gather(*(self.site.is_ready(process) for process in replicas)))


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again; no event tells of it."""
    while not await holds():  # noqa: ASYNC110
        await asyncio.sleep(_POLL_SECONDS)


async def _is_done(connection: Connection, order_id: UUID, chain: list[UUID]) -> bool:
    return await _is_posted(connection, order_id) and not await _is_in_flight(connection, chain)


async def _is_posted(connection: Connection, order_id: UUID) -> bool:
    return bool(
        await connection.fetchval(
            """
            SELECT EXISTS (SELECT FROM orders.event_log told JOIN portfolio.journal_entry USING (event_id)
                           WHERE told.subject = $1 AND told.type = $2)
            """,
            order_id,
            OrderFilled.type(),
        )
    )


async def _is_in_flight(connection: Connection, chain: list[UUID]) -> bool:
    """Whether an event of the chain waits in an outbox, or has not come to a context that listens to it."""
    contexts = load_all()
    waiting = " UNION ALL ".join(
        f"SELECT 1 FROM {context.name}.outbox WHERE correlation_id = ANY($1::uuid[])" for context in contexts
    )
    if await connection.fetch(waiting, chain):
        return True
    told = " UNION ALL ".join(
        f"SELECT event_id, type FROM {context.name}.event_log WHERE correlation_id = ANY($1::uuid[]) AND event_id >= $2"
        for context in contexts
    )
    # Ids grow with time: what was told before the probe need not be looked through.
    events = await connection.fetch(told, chain, min(chain))
    for context in contexts:
        kinds = {event.type() for event in context.listens_to()}
        due = [row["event_id"] for row in events if row["type"] in kinds]
        taken = await connection.fetchval(
            f"SELECT count(*) FROM (SELECT event_id FROM {context.name}.inbox WHERE event_id = ANY($1::uuid[]) "
            f"UNION SELECT event_id FROM {context.name}.dead_letter WHERE event_id = ANY($1::uuid[])) AS taken",
            due,
        )
        if taken < len(due):
            return True
    return False
