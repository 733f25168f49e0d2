"""Orders over HTTP and events over the bus lock in the same order, so that none has to be given up for another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

from fillstream.contexts import load
from libs.kit.codec import headers_of
from libs.kit.inbox import Inbox, read
from libs.kit.outbox import OutboxRow
from libs.kit.personal_data.erased import erase_alone
from services.orders.repository import accounts, markets
from tests.orders.builders import VENUE, a_bar, a_signal, day, told
from tests.orders.conftest import Workspace
from tests.world import World, eventually


@dataclass
class ARecord:
    """A record as aiokafka gives it."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]] = field(repr=False)
    topic: str
    partition: int = 0
    offset: int = 0


def record(row: OutboxRow) -> ARecord:
    return ARecord(row.key.encode(), row.data.encode(), headers_of(row, "world"), row.topic)


async def test_a_batch_of_signals_and_bars_does_not_deadlock_with_an_order(workspace: Workspace, world: World) -> None:
    """The order has its instrument and wants its account; the batch has a signal for that account, and a bar."""
    inbox = Inbox(workspace.running.db, load("orders").handlers(world.settings_of("orders")))
    signal = world.envelope(a_signal(day(1), symbol="IBM"), tenant_id=workspace.tenant_id)
    batch = [read(record(row)) for row in (signal, world.envelope(told(a_bar(day(2)))))]

    async def the_batch_waits() -> None:
        assert await world.fetch("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")

    async with workspace.running.db.transaction(workspace.tenant_id) as order:
        await markets.share(order, ["AAPL"])
        taking = asyncio.create_task(inbox.take(batch))
        await eventually(the_batch_waits)
        assert await accounts.lock_books(order, VENUE, [UUID(workspace.account_id)])
    await taking


async def test_a_batch_that_waits_for_an_erasure_holds_no_instrument_meanwhile(
    workspace: Workspace, world: World
) -> None:
    """An erasure is at work, and has bars to look at afterwards; the batch has a signal and a bar, too."""
    inbox = Inbox(workspace.running.db, load("orders").handlers(world.settings_of("orders")))
    signal = world.envelope(a_signal(day(1)), tenant_id=workspace.tenant_id)
    batch = [read(record(row)) for row in (world.envelope(told(a_bar(day(2)))), signal)]

    async def the_batch_waits() -> None:
        assert await world.fetch("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")

    async with workspace.running.db.work() as erasing:
        await erase_alone(erasing)
        taking = asyncio.create_task(inbox.take(batch))
        await eventually(the_batch_waits)
        await markets.lock(erasing, ["AAPL", "IBM"])
    await taking
