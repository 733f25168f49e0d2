"""What has to be done in every contest? For each fill: inbox, an upserted position, one event into the outbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import asyncpg

from fillstream.embedded.stack import embedded_stack
from libs.kit.codec import headers_of
from libs.kit.db import Tx
from libs.kit.handlers import on
from libs.kit.ids import uuid7
from libs.kit.kafka import create_topics, producer, topic_specs
from libs.kit.migrate import SchemaSource, migrate
from libs.kit.outbox import outbox_row
from libs.kit.settings import Settings
from libs.schema.event import Cause, Envelope
from libs.schema.orders import OrderFilled
from libs.schema.portfolio import PositionChanged
from libs.schema.values import Side

ACCOUNTS = 500
_TENANT = uuid7()
_NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


@dataclass
class Position:
    """What an account holds; an aggregate of the house's shape."""

    id: UUID
    tenant: UUID
    quantity: Decimal = Decimal(0)
    version: int = 0

    def fill(self, event: OrderFilled) -> PositionChanged:
        """Add a fill."""
        self.quantity += event.side.sign * event.last_quantity
        return PositionChanged(
            occurred_at=event.occurred_at,
            account_id=self.id,
            symbol=event.symbol,
            currency=event.currency,
            quantity=self.quantity,
            average_cost=event.average_price,
            realised_pnl=Decimal(0),
            fees=event.commission,
        )


@on(OrderFilled)
async def change_positions(tx: Tx, fills: Sequence[Envelope[OrderFilled]]) -> None:
    """The house's way: one statement loads, memory decides, one statement saves."""
    positions = {fill.event.account_id: Position(fill.event.account_id, fill.tenant) for fill in fills}
    rows = await tx.fetch(
        "SELECT account_id, quantity, version FROM position WHERE account_id = ANY($1::uuid[]) ORDER BY 1 FOR UPDATE",
        list(positions),
    )
    for account_id, quantity, version in rows:
        positions[account_id].quantity, positions[account_id].version = quantity, version
    for fill in fills:
        position = positions[fill.event.account_id]
        tx.publish(position, position.fill(fill.event), cause=fill.follow())
    columns = zip(*((p.id, p.tenant, p.quantity, p.version) for p in positions.values()), strict=True)
    await tx.fetch(
        "INSERT INTO position SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::numeric[], $4::bigint[]) "
        "ON CONFLICT (account_id) DO UPDATE SET quantity = excluded.quantity, version = excluded.version",
        *map(list, columns),
    )


@dataclass(frozen=True)
class Arena:
    """Servers with `events` fills in a topic."""

    settings: Settings
    events: int

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """The database, with the schema in the search path."""
        return await asyncpg.connect(
            self.settings.database_url.get_secret_value(), server_settings={"search_path": "bench"}
        )

    async def reset(self) -> None:
        """Forget all effects."""
        connection = await self.connect()
        await connection.execute("TRUNCATE position, inbox, outbox, event_log, dead_letter")
        await connection.execute("CHECKPOINT")
        await connection.close()

    async def check(self, events: int) -> None:
        """Raise AssertionError unless there is exactly one effect of each of the first `events` fills."""
        connection = await self.connect()
        counts = await connection.fetch(
            "SELECT (SELECT count(*) FROM inbox), (SELECT count(DISTINCT causation_id) FROM outbox), "
            "(SELECT sum(quantity) FROM position)"
        )
        await connection.close()
        if tuple(counts[0]) != (events, events, events):
            raise AssertionError(f"{events} events had the effects {tuple(counts[0])}")


@asynccontextmanager
async def arena(events: int) -> AsyncIterator[Arena]:
    """Embedded servers with the fills in their topic, 4 partitions, keyed by account."""
    with TemporaryDirectory(prefix="fillstream-bench-") as home:
        async with embedded_stack(Path(home), lambda _: None) as endpoints:
            settings = Settings(
                database_url=endpoints.database_url,
                kafka_bootstrap=endpoints.kafka_bootstrap,
                kafka_prefix="bench-",
            )
            await migrate(endpoints.database_url, [SchemaSource("bench", Path(__file__).parent / "migrations")], 400)
            await create_topics(settings.kafka, topic_specs(settings, [OrderFilled.topic]))
            await _fill_topic(settings, events)
            yield Arena(settings, events)


async def _fill_topic(settings: Settings, events: int) -> None:
    accounts = [uuid7() for _ in range(ACCOUNTS)]
    async with producer(settings.kafka, "bench") as client:
        for index in range(events):
            row = outbox_row(_fill(accounts[index % ACCOUNTS]), uuid7(), 1, _TENANT, Cause(uuid7()), _NOON)
            await client.send(
                settings.kafka_prefix + row.topic,
                row.data.encode(),
                row.key.encode(),
                headers=headers_of(row, "orders"),
            )
        await client.flush()


def _fill(account_id: UUID) -> OrderFilled:
    return OrderFilled(
        occurred_at=_NOON,
        order_id=uuid7(),
        client_order_id=str(uuid7()),
        account_id=account_id,
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(1),
        fill_id=uuid7(),
        last_quantity=Decimal(1),
        last_price=Decimal("118.56"),
        commission=Decimal("0.12"),
        currency="USD",
        cumulative_quantity=Decimal(1),
        leaves_quantity=Decimal(0),
        average_price=Decimal("118.56"),
    )
