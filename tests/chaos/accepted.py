"""Does all that was accepted exist, and once? What clients were answered, compared with what the tables hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class AcceptedOrder:
    """An order that was answered with 201."""

    id: UUID
    account_id: UUID
    client_order_id: str
    order_type: str
    submitted_at: datetime
    correlation_id: UUID


@dataclass(frozen=True, slots=True)
class AcceptedBar:
    """A bar that was answered with 201."""

    symbol: str
    timeframe: str
    open_time: datetime


@dataclass(eq=False)
class Accepted:
    """All that clients were promised, and how much they do not know."""

    orders: list[AcceptedOrder] = field(default_factory=list)
    bars: list[AcceptedBar] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    """Addresses of those who were told that they are registered."""
    unknown: Counter[UUID] = field(default_factory=Counter)
    """By account: orders for which no answer came, so that one may be there or not."""
    refused: list[str] = field(default_factory=list)
    """Requests in order that were refused; each is a fault of ours."""


@dataclass(frozen=True, slots=True)
class Differences:
    """What is not as it was promised, a line each."""

    lost: tuple[str, ...]
    double: tuple[str, ...]


async def compare(connection: Connection, accepted: Accepted) -> Differences:
    """Look for what was accepted; the load must have stopped, and the last bars must have settled market orders."""
    lost, double = await _orders(connection, accepted)
    lost += await _bars(connection, accepted.bars)
    for email, count in (await _people(connection, accepted.people)).items():
        if count != 1:
            (double if count else lost).append(f"{email} registered {count} times")
    return Differences(tuple(lost), tuple(double))


async def _orders(connection: Connection, accepted: Accepted) -> tuple[list[str], list[str]]:
    accounts = {order.account_id for order in accepted.orders} | set(accepted.unknown)
    # Orders of signals are nobody's request.
    rows = await connection.fetch(
        "SELECT id, account_id, client_order_id, closed_at, quantity, "
        "(SELECT coalesce(sum(last_quantity), 0) FROM orders.fill WHERE order_id = o.id) AS filled "
        'FROM orders."order" o WHERE account_id = ANY($1::uuid[]) AND signal_id IS NULL',
        list(accounts),
    )
    found = {row["id"]: row for row in rows}
    lost, double = [], []
    for order in accepted.orders:
        row = found.get(order.id)
        if row is None:
            lost.append(f"order {order.id} ({order.client_order_id}) was accepted and is not there")
        elif row["closed_at"] is None and order.order_type == "MARKET":
            lost.append(f"order {order.id} ({order.client_order_id}) met a bar and has no final state")
    double += [
        f"order {id_} is filled beyond its quantity" for id_, row in found.items() if row["filled"] > row["quantity"]
    ]
    double += _unasked(found.values(), accepted)
    return lost, double


def _unasked(rows: Iterable[asyncpg.Record], accepted: Accepted) -> list[str]:
    """Orders beyond those that were answered, where no more than that were asked for."""
    answered = {order.id for order in accepted.orders}
    extra: dict[UUID, list[UUID]] = {}
    for row in rows:
        if row["id"] not in answered:
            extra.setdefault(row["account_id"], []).append(row["id"])
    return [
        f"account {account} has {len(ids)} orders beyond those answered, {accepted.unknown[account]} unanswered: {ids[:3]}"
        for account, ids in extra.items()
        if len(ids) > accepted.unknown[account]
    ]


async def _bars(connection: Connection, bars: Collection[AcceptedBar]) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT wanted.symbol, wanted.timeframe, wanted.open_time
        FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS wanted (symbol, timeframe, open_time)
        WHERE NOT EXISTS (SELECT FROM marketdata.bar b WHERE b.symbol = wanted.symbol
                          AND b.timeframe = wanted.timeframe AND b.open_time = wanted.open_time)
        """,
        [bar.symbol for bar in bars],
        [bar.timeframe for bar in bars],
        [bar.open_time for bar in bars],
    )
    return [f"bar {row['symbol']} {row['timeframe']} {row['open_time']} was accepted and is not there" for row in rows]


async def _people(connection: Connection, people: Collection[str]) -> dict[str, int]:
    rows = await connection.fetch('SELECT email FROM auth."user" WHERE email = ANY($1::text[])', list(people))
    found = Counter(row["email"] for row in rows)
    return {email: found[email] for email in people}
