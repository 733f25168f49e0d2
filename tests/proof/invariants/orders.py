"""Do orders live as FIX says, and not longer than they should?"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.violation import Invariant

_OPEN = ("NEW", "PARTIALLY_FILLED")
NEXT: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("PENDING_NEW", "OrderAccepted"): "NEW",
        ("PENDING_NEW", "OrderDenied"): "DENIED",
        ("PENDING_NEW", "OrderRejected"): "REJECTED",
        **{(state, "partial fill"): "PARTIALLY_FILLED" for state in _OPEN},
        **{(state, "fill"): "FILLED" for state in _OPEN},
        **{(state, "OrderCancelled"): "CANCELED" for state in _OPEN},
        **{(state, "OrderExpired"): "EXPIRED" for state in _OPEN},
    }
)
"""FIX's order states (OrdStatus), and which event may lead from one to the next. What is closed leads nowhere."""
# Nobody is told that a cancellation was asked for, so that the stream can't show it.
_UNTOLD = MappingProxyType({"PENDING_CANCEL": _OPEN})


@dataclass(frozen=True, slots=True)
class _Step:
    """One event of an order."""

    order_id: UUID
    event_id: UUID
    name: str
    data: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The event, with fills told apart by what they leave."""
        if self.name != "OrderFilled":
            return self.name
        return "partial fill" if Decimal(self.data["leaves_quantity"]) else "fill"


async def _lives(evidence: Evidence) -> dict[UUID, list[_Step]]:
    """The events of every order, by their sequence."""
    rows = await evidence.database.fetch(
        "SELECT subject, event_id, split_part(type, '.', 2), data FROM ("
        "SELECT * FROM orders.event_log UNION ALL SELECT event_id, topic, key, type, tenant_id, subject, sequence, "
        "occurred_at, recorded_at, correlation_id, causation_id, traceparent, data FROM orders.outbox) told "
        "WHERE type LIKE 'orders.Order%' ORDER BY sequence"
    )
    lives: defaultdict[UUID, list[_Step]] = defaultdict(list)
    for *columns, data in rows:
        lives[columns[0]].append(_Step(*columns, json.loads(data)))
    return lives


async def orders_move_as_fix_allows(evidence: Evidence) -> list[str]:
    """The events of an order lead from state to state as FIX allows, and to the state that it has."""
    lives = await _lives(evidence)
    found = []
    for id_, status in await evidence.database.fetch('SELECT id, status FROM orders."order"'):
        state = "PENDING_NEW"
        for step in lives.get(id_, []):
            following = NEXT.get((state, step.kind))
            if following is None:
                found.append(f"order {id_}: {step.kind} {step.event_id} can't happen to an order that is {state}")
                break
            state = following
        else:
            if status != state and state not in _UNTOLD.get(status, ()):
                found.append(f"order {id_} is {status}, its events lead to {state}")
    return found


async def fills_add_up_to_their_order(evidence: Evidence) -> list[str]:
    """What an order has traded and paid is the sum of its fills, and no more than it asked for."""
    rows = await evidence.database.fetch(
        """
        SELECT o.id, o.cumulative_quantity, o.commission, coalesce(sum(f.last_quantity), 0),
               coalesce(sum(f.commission), 0), o.quantity, o.status
        FROM orders."order" o LEFT JOIN orders.fill f ON f.order_id = o.id GROUP BY o.id
        """
    )
    return [
        f"order {id_}, {status}: {traded} of {asked} traded for {paid} in commission, by its fills {filled} for {fees}"
        for id_, traded, paid, filled, fees, asked, status in rows
        if (traded, paid) != (filled, fees) or filled > asked or (status == "FILLED") != (filled == asked)
    ]


async def every_fill_was_told_as_it_is(evidence: Evidence) -> list[str]:
    """Each fill has one event, with its figures and the sums so far."""
    told = [step for steps in (await _lives(evidence)).values() for step in steps if step.name == "OrderFilled"]
    rows = await evidence.database.fetch(
        "SELECT id, order_id, account_id, symbol, side, last_quantity, last_price, commission, currency FROM orders.fill"
    )
    fills = {row["id"]: row for row in rows}
    by_fill: defaultdict[UUID, list[_Step]] = defaultdict(list)
    for step in told:
        by_fill[UUID(step.data["fill_id"])].append(step)
    found = [f"fill {id_} was told {len(by_fill[id_])} times" for id_ in fills if len(by_fill[id_]) != 1]
    found += [
        f"{steps[0].event_id} tells of the fill {id_}, which is not kept"
        for id_, steps in by_fill.items()
        if id_ not in fills
    ]
    for id_, steps in by_fill.items():
        row = fills.get(id_, {})
        different = [name for name, value in row.items() if name != "id" and not _equal(value, steps[0].data[name])]
        found += [f"fill {id_} differs from {steps[0].event_id} in {', '.join(different)}"] if different else []
    return found


def _equal(kept: object, told: str) -> bool:
    return kept == Decimal(told) if isinstance(kept, Decimal) else str(kept) == told


async def one_order_for_each_client_order_id(evidence: Evidence) -> list[str]:
    """An account has one order of a client order id and one for a signal, and an order one fill of an execution."""
    found = []
    for table, named, name in (
        ('"order"', "account_id", "client_order_id"),
        ('"order"', "account_id", "signal_id"),
        ("fill", "order_id", "execution_id"),
    ):
        rows = await evidence.database.fetch(
            f"SELECT {named}, {name}, array_agg(id) FROM orders.{table} WHERE {name} IS NOT NULL "
            "GROUP BY 1, 2 HAVING count(*) > 1"
        )
        found += [f"{named} {row[0]}: {len(row[2])} rows of {table} have the {name} {row[1]}: {row[2]}" for row in rows]
    return found


_OVERDUE = """
    SELECT o.id, o.status, o.order_type, o.time_in_force, met.open_time
    FROM orders."order" o JOIN orders.account a ON a.id = o.account_id AND a.broker = 'paper'
    CROSS JOIN LATERAL (
        SELECT greatest(
            (date_trunc('day', min(open_time) AT TIME ZONE zone) + interval '1 day') AT TIME ZONE zone,
            min(open_time + timeframe::interval)) AS session_end
        FROM orders.bar, (SELECT coalesce(o.day_zone, 'UTC') AS zone) exchange
        WHERE symbol = o.symbol AND open_time >= o.submitted_at GROUP BY zone
    ) first
    CROSS JOIN LATERAL (
        SELECT open_time FROM orders.bar b
        WHERE b.symbol = o.symbol AND b.open_time >= o.submitted_at AND (
            (o.time_in_force = 'DAY' AND b.open_time + b.timeframe::interval >= session_end)
            OR b.volume IS DISTINCT FROM 0 AND (
                o.order_type = 'MARKET'
                OR (o.side = 'BUY' AND b.low <= o.limit_price) OR (o.side = 'SELL' AND b.high >= o.limit_price)))
        ORDER BY open_time LIMIT 1
    ) met
    WHERE o.closed_at IS NULL
"""


async def no_order_is_open_past_its_deadline(evidence: Evidence) -> list[str]:
    """No open order has met a bar that trades it or ends its session, and none waits for the paper broker's answer."""
    overdue = await evidence.database.fetch(_OVERDUE)
    waiting = await evidence.database.fetch(
        "SELECT o.id, o.status FROM orders.\"order\" o JOIN orders.account a ON a.id = account_id AND broker = 'paper' "
        "WHERE o.status IN ('PENDING_NEW', 'PENDING_CANCEL')"
    )
    return [
        f"order {id_} ({type_}, {lasting}) is still {status} after the bar of {moment}"
        for id_, status, type_, lasting, moment in overdue
    ] + [f"order {id_} is still {status}, and the paper broker answers at once" for id_, status in waiting]


_WANTED = """
    WITH wanted AS (
        SELECT DISTINCT ON (e.subject) e.subject AS strategy_id, a.id AS account_id, e.event_id, i.handled_at,
               e.data::jsonb->>'symbol' AS symbol, (e.data::jsonb->>'target_position')::numeric AS target,
               (e.data::jsonb->>'signal_id')::uuid AS signal_id, a.created_at
        FROM signals.event_log e JOIN orders.inbox i ON i.event_id = e.event_id
        JOIN orders.account a ON a.tenant_id = e.tenant_id AND a.auto_trading
        WHERE e.type LIKE 'signals.SignalGenerated.%' ORDER BY e.subject, e.sequence DESC
    )
    SELECT w.strategy_id, w.account_id, w.event_id, w.target,
           coalesce(sum(CASE o.side WHEN 'BUY' THEN 1 ELSE -1 END * o.cumulative_quantity), 0) AS held
    FROM wanted w LEFT JOIN orders."order" o
        ON (o.account_id, o.strategy_id, o.symbol) = (w.account_id, w.strategy_id, w.symbol)
    WHERE w.created_at < w.handled_at
      AND EXISTS (SELECT FROM orders.entitlement JOIN orders.account a USING (tenant_id)
                  WHERE a.id = w.account_id AND entitlement.auto_trading)
    GROUP BY 1, 2, 3, 4
    HAVING coalesce(bool_and(o.status IN ('FILLED', 'DENIED')), true)
       AND NOT coalesce(bool_or(o.status = 'DENIED' AND o.signal_id = w.signal_id), false)
       AND w.target <> coalesce(sum(CASE o.side WHEN 'BUY' THEN 1 ELSE -1 END * o.cumulative_quantity), 0)
"""


async def strategies_hold_what_they_last_wanted(evidence: Evidence) -> list[str]:
    """Unless an order was denied, withdrawn or waits, a strategy that may trade holds what its last signal asked for."""
    skipped = evidence.discarded("orders")
    return [
        f"strategy {strategy} wanted {target} by {event_id} and holds {held} in account {account}"
        for strategy, account, event_id, target, held in await evidence.database.fetch(_WANTED)
        if event_id not in skipped
    ]


INVARIANTS: Sequence[Invariant] = (
    Invariant(orders_move_as_fix_allows),
    Invariant(fills_add_up_to_their_order),
    Invariant(every_fill_was_told_as_it_is),
    Invariant(one_order_for_each_client_order_id),
    Invariant(no_order_is_open_past_its_deadline),
    Invariant(strategies_hold_what_they_last_wanted),
)
