"""What has to be done from time to time? Partitions come and go; old answers, letters and full buckets are forgotten."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from libs.kit.connections import async_url
from libs.kit.partitions import maintain_partitions

IDEMPOTENCY_DAYS = 7


async def maintain(database_url: str, schemas: Sequence[str], retention_days: int) -> list[str]:
    """Do it for every schema; gives a line for each thing done. May run while services do."""
    engine = create_async_engine(async_url(database_url))
    done: list[str] = []
    try:
        for schema in schemas:
            partitions = await maintain_partitions(engine, schema, retention_days)
            done += [f"created {name}" for name in partitions.created]
            done += [f"dropped {name}" for name in partitions.dropped]
            forgotten = await _forget_answers(engine, schema)
            done += [f"forgot {forgotten} idempotency keys of {schema}"] if forgotten else []
            letters = await _forget_letters(engine, schema, retention_days)
            done += [f"forgot what {letters} dead letters of {schema} said"] if letters else []
            full = await _forget_full_buckets(engine, schema)
            done += [f"forgot {full} rate limits of {schema}"] if full else []
    finally:
        await engine.dispose()
    return done


async def _forget_answers(engine: AsyncEngine, schema: str) -> int:
    async with engine.begin() as connection:
        await connection.execute(text(f"SET LOCAL ROLE {schema}_worker"))
        result = await connection.execute(
            text(f"DELETE FROM {schema}.idempotency_key WHERE created_at < now() - make_interval(days => :days)"),
            {"days": IDEMPOTENCY_DAYS},
        )
    return result.rowcount


async def _forget_letters(engine: AsyncEngine, schema: str, retention_days: int) -> int:
    """What a dead letter says is of no more use when it was resolved long ago, and may be about somebody."""
    async with engine.begin() as connection:
        await connection.execute(text(f"SET LOCAL ROLE {schema}_worker"))
        result = await connection.execute(
            text(
                f"UPDATE {schema}.dead_letter SET value = NULL, error = '' "
                "WHERE value IS NOT NULL AND resolved_at < now() - make_interval(days => :days)"
            ),
            {"days": retention_days},
        )
    return result.rowcount


async def _forget_full_buckets(engine: AsyncEngine, schema: str) -> int:
    """A bucket that is full again limits nobody. Contexts that limit nothing have no table of them."""
    async with engine.begin() as connection:
        await connection.execute(text(f"SET LOCAL ROLE {schema}_worker"))
        if await connection.scalar(text("SELECT to_regclass(:name)"), {"name": f"{schema}.rate_limit"}) is None:
            return 0
        result = await connection.execute(text(f"DELETE FROM {schema}.rate_limit WHERE full_at <= now()"))
    return result.rowcount
