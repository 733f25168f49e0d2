"""Which fills are there to handle? Made-up ones of many accounts, in the topic that orders tells them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from bench.stage import Stage
from libs.kit.codec import headers_of
from libs.kit.db import Tx
from libs.kit.handlers import on
from libs.kit.ids import uuid7
from libs.kit.kafka import create_topics, producer, topic_specs
from libs.kit.migrate import SchemaSource, migrate
from libs.kit.outbox import OutboxRow, outbox_row
from libs.kit.settings import Settings
from libs.schema.event import Cause, Envelope
from libs.schema.orders import OrderFilled
from libs.schema.portfolio import PositionChanged
from libs.schema.values import Side

ACCOUNTS = 500
TENANT = uuid7()
_NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


@dataclass
class Position:
    """What an account holds; an aggregate of the house's shape, as small as one can be."""

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


async def make_tables(place: Stage) -> None:
    """A schema `bench` with the message tables and one of positions."""
    source = SchemaSource("bench", Path(__file__).parent / "migrations")
    await migrate(place.settings.database_url.get_secret_value(), [source], 400)


async def forget_effects(place: Stage) -> None:
    """Empty that schema's tables."""
    await place.reset(*(f"bench.{table}" for table in ("position", "inbox", "outbox", "event_log", "dead_letter")))


async def check_effects(place: Stage, events: int) -> None:
    """Raise AssertionError unless there is exactly one effect of each of `events` fills."""
    connection = await place.connect("bench")
    [counts] = await connection.fetch(
        "SELECT (SELECT count(*) FROM inbox), (SELECT count(DISTINCT causation_id) FROM outbox), "
        "(SELECT sum(quantity) FROM position)"
    )
    await connection.close()
    if tuple(counts) != (events, events, events):
        raise AssertionError(f"{events} events had the effects {tuple(counts)}")


def accounts(count: int = ACCOUNTS) -> list[UUID]:
    """New accounts' ids."""
    return [uuid7() for _ in range(count)]


def rows_of_fills(events: int, owners: Sequence[UUID]) -> list[OutboxRow]:
    """As many fills, the accounts in turn, as orders' outbox would hold them."""
    return [
        outbox_row(_fill(owners[index % len(owners)]), uuid7(), 1, TENANT, Cause(uuid7()), _NOON)
        for index in range(events)
    ]


async def put_in_topic(settings: Settings, rows: Sequence[OutboxRow]) -> None:
    """Let the events be in their topics, which are made if need be."""
    await create_topics(settings.kafka, topic_specs(settings, {row.topic for row in rows}))
    async with producer(settings.kafka, "bench") as client:
        for row in rows:
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
