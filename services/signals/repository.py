"""What is the SQL? Strategies one by one for people, in sets for bars."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import func, select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from libs.schema.signals import StrategyStatus
from libs.schema.values import Symbol, Timeframe
from services.signals.model import Entitlements, Instrument, LiveStrategy, Strategy
from services.signals.rules import PARAMETERS, RULE_STATE, Bar

SeriesKey = tuple[Symbol, Timeframe]


async def lock_entitlements(tx: Tx, tenant_id: UUID) -> Entitlements | None:
    """What the workspace may do, locked so that two creations are counted one after the other; None if not known."""
    return await tx.scalar(select(Entitlements).where(Entitlements.tenant_id == tenant_id).with_for_update())


async def count_strategies(tx: Tx, tenant_id: UUID) -> int:
    """How many strategies the workspace has, paused ones as well."""
    statement = select(func.count()).where(Strategy.tenant_id == tenant_id, Strategy.status != StrategyStatus.DELETED)
    return await tx.scalar(statement) or 0


async def count_active(tx: Tx, tenant_id: UUID) -> int:
    """How many strategies of the workspace are at work."""
    statement = select(func.count()).where(Strategy.tenant_id == tenant_id, Strategy.status == StrategyStatus.ACTIVE)
    return await tx.scalar(statement) or 0


async def lock_beyond_limits(tx: Tx, tenant_ids: Collection[UUID]) -> Sequence[Strategy]:
    """The active strategies that the plans of some workspaces do not allow: all but the oldest. Locked, by their ids.

    Needs the workspaces' entitlements to be locked, so that none is resumed meanwhile.
    """
    rows = await tx.fetch(
        """
        SELECT id FROM (
            SELECT s.id, e.max_strategies, row_number() OVER (PARTITION BY tenant_id ORDER BY s.created_at, s.id) AS place
            FROM signals.strategy s JOIN signals.entitlements e USING (tenant_id)
            WHERE tenant_id = ANY($1::uuid[]) AND s.status = 'ACTIVE'
        ) active WHERE place > max_strategies
        """,
        list(tenant_ids),
    )
    if not rows:
        return ()
    beyond = select(Strategy).where(Strategy.id.in_([row[0] for row in rows]), Strategy.status == StrategyStatus.ACTIVE)
    return await tx.scalars(beyond.order_by(Strategy.id).with_for_update())


async def lock_strategy(tx: Tx, strategy_id: UUID) -> Strategy:
    """The strategy, locked until the transaction ends. Raises NotFound when this workspace has no such strategy."""
    statement = select(Strategy).where(Strategy.id == strategy_id, Strategy.status != StrategyStatus.DELETED)
    strategy = await tx.scalar(statement.with_for_update())
    if strategy is None:
        raise NotFound("strategy", strategy_id)
    return strategy


async def lock_live_strategies(tx: Tx, series: Collection[SeriesKey]) -> list[tuple[SeriesKey, LiveStrategy]]:
    """The active strategies of every workspace on these instruments, each with its instrument, in the order of ids."""
    symbols, timeframes = zip(*series, strict=True)
    rows = await tx.fetch(
        """
        SELECT s.symbol, s.timeframe, s.id, s.tenant_id, s.version, s.name, s.size, s.parameters::text, s.state::text,
               s.last_bar_time
        FROM unnest($1::text[], $2::text[]) k (symbol, timeframe)
        JOIN signals.strategy s USING (symbol, timeframe)
        WHERE s.status = 'ACTIVE'
        ORDER BY s.id
        FOR UPDATE OF s
        """,
        list(symbols),
        list(timeframes),
    )
    return [
        (
            (row["symbol"], Timeframe(row["timeframe"])),
            LiveStrategy(
                id=row["id"],
                tenant_id=row["tenant_id"],
                version=row["version"],
                name=row["name"],
                size=row["size"],
                parameters=PARAMETERS.validate_json(row["parameters"]),
                state=RULE_STATE.validate_json(row["state"]),
                last_bar_time=row["last_bar_time"],
            ),
        )
        for row in rows
    ]


async def save_live_strategies(tx: Tx, strategies: Sequence[LiveStrategy]) -> None:
    """Keep how far the strategies have come, all in one statement."""
    rows = ((s.id, s.tenant_id, s.version, RULE_STATE.dump_json(s.state).decode(), s.last_bar_time) for s in strategies)
    await tx.fetch(
        """
        UPDATE signals.strategy s
        SET version = v.version, state = v.state::jsonb, last_bar_time = v.last_bar_time
        FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[])
             v (id, tenant_id, version, state, last_bar_time)
        WHERE s.id = v.id AND s.tenant_id = v.tenant_id
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def insert_bars(tx: Tx, bars: Sequence[Bar]) -> None:
    """Keep copies of the bars that are not kept yet, all in one statement."""
    rows = ((b.symbol, b.timeframe, b.open_time, b.open, b.high, b.low, b.close, b.volume) for b in bars)
    await tx.fetch(
        """
        INSERT INTO signals.bar (symbol, timeframe, open_time, open, high, low, close, volume)
        SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::numeric[], $6::numeric[],
                             $7::numeric[], $8::numeric[])
        ON CONFLICT DO NOTHING
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def update_bars(tx: Tx, bars: Sequence[Bar]) -> None:
    """Replace the figures of bars that are kept, one at most of each, all in one statement."""
    rows = ((b.symbol, b.timeframe, b.open_time, b.open, b.high, b.low, b.close, b.volume) for b in bars)
    await tx.fetch(
        """
        UPDATE signals.bar b
        SET open = v.open, high = v.high, low = v.low, close = v.close, volume = v.volume
        FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::numeric[], $5::numeric[], $6::numeric[],
                    $7::numeric[], $8::numeric[]) v (symbol, timeframe, open_time, open, high, low, close, volume)
        WHERE (b.symbol, b.timeframe, b.open_time) = (v.symbol, v.timeframe, v.open_time)
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def upsert_instruments(tx: Tx, instruments: Sequence[Instrument]) -> None:
    """Keep what is known of instruments, all in one statement; of several words on one, the last counts."""
    latest = {one.symbol: (one.symbol, one.currency, one.asset_class) for one in instruments}
    await tx.fetch(
        """
        INSERT INTO signals.instrument (symbol, currency, asset_class)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS new (symbol, currency, asset_class) ORDER BY symbol
        ON CONFLICT (symbol) DO UPDATE SET currency = excluded.currency, asset_class = excluded.asset_class
        """,
        *map(list, zip(*latest.values(), strict=True)),
    )


async def upsert_entitlements(tx: Tx, entitlements: Sequence[Entitlements]) -> None:
    """Keep the newest word on each workspace, one at most of each; an older one than is kept changes nothing."""
    rows = ((e.tenant_id, e.plan, e.max_strategies, e.sequence) for e in entitlements)
    await tx.fetch(
        """
        INSERT INTO signals.entitlements AS kept (tenant_id, plan, max_strategies, sequence)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])
        ON CONFLICT (tenant_id) DO UPDATE
        SET plan = excluded.plan, max_strategies = excluded.max_strategies, sequence = excluded.sequence
        WHERE kept.sequence < excluded.sequence
        """,
        *map(list, zip(*rows, strict=True)),
    )
