"""Do reads stay as fast as the tables grow? With 1,000,000 fills in them, against 1,000."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID

from bench.load import Load, Request, ask
from bench.processes import served
from bench.report import AtMost, Row, compared
from bench.stage import Stage
from fillstream.installation import prepare
from libs.kit.http.pagination import Position
from tests.issuer import running_issuer

_TENANTS = 10
_PAGE = 50
_FIRST = datetime(2020, 1, 1, tzinfo=UTC)
_MARKS = 5_000
_NO_ID = UUID(int=0)
# Numbers as ids: number 7 is 00000000-0000-0000-0000-000000000007.
_ID = "lpad(to_hex(n), 32, '0')::uuid"
_OWNER = "('00000000-0000-0000-0000-' || lpad(to_hex(n % $2), 12, '0'))::uuid"
_LOAD = (
    """
    INSERT INTO orders.account (id, tenant_id, name, broker, currency, initial_cash, cash, reserved, auto_trading,
                                status, version)
    SELECT {owner}, {owner}, 'bench', 'paper', 'USD', 1000000, 1000000, 0, false, 'ACTIVE', 1
    FROM generate_series(0, $2::int - 1) n WHERE $1::int > 0
    """,
    """
    INSERT INTO orders."order" (id, tenant_id, account_id, client_order_id, symbol, side, order_type, time_in_force,
                                quantity, reference_price, status, cumulative_quantity, average_price, commission,
                                submitted_at, closed_at, version, created_at)
    SELECT {id}, {owner}, {owner}, n::text, 'BENCH' || n % 50, 'BUY', 'MARKET', 'GTC', 1, 118.56, 'FILLED', 1, 118.56,
           0.12, {moment}, {moment}, 2, {moment}
    FROM generate_series(1, $1::int) n
    """,
    """
    INSERT INTO orders.fill (id, tenant_id, account_id, order_id, symbol, side, last_quantity, last_price, commission,
                             currency, venue, execution_id, executed_at)
    SELECT {id}, {owner}, {owner}, {id}, 'BENCH' || n % 50, 'BUY', 1, 118.56, 0.12, 'USD', 'paper', n::text, {moment}
    FROM generate_series(1, $1::int) n WHERE $2::int > 0
    """,
    """
    INSERT INTO portfolio.book (id, tenant_id, name, currency, deposits, cash, realised_pnl, fees, version)
    SELECT {owner}, {owner}, 'bench', 'USD', 1000000, 1000000, 0, 0, 1
    FROM generate_series(0, $2::int - 1) n WHERE $1::int > 0
    """,
    """
    INSERT INTO portfolio.position (id, account_id, tenant_id, symbol, quantity, cost_basis, realised_pnl, fees, created_at)
    SELECT {id}, {owner}, {owner}, 'BENCH' || n / $2, $1::int, 118.56 * $1::int, 0, 0, {moment}
    FROM generate_series(0, 50 * $2::int - 1) n
    """,
    """
    INSERT INTO portfolio.journal_entry (id, account_id, tenant_id, time, kind, description, event_id)
    SELECT {id}, {owner}, {owner}, {moment}, 'fill', 'Bought 1', {id} FROM generate_series(1, $1::int) n WHERE $2::int > 0
    """,
    """
    INSERT INTO portfolio.equity_point (account_id, as_of, tenant_id, cash, market_value, equity, event_id)
    SELECT {owner}, {moment}, {owner}, 1000000, n, 1000000 + n, {id} FROM generate_series(1, $1::int) n WHERE $2::int > 0
    """,
)
_MARK = """
    INSERT INTO portfolio.mark (symbol, as_of, close, event_id)
    SELECT 'BENCH' || n % 50, timestamptz '2020-01-01Z' + n * interval '1 minute', 118.56, lpad(to_hex(n), 32, '0')::uuid
    FROM generate_series(1, $1::int) n
"""
_MOMENT = "timestamptz '2020-01-01Z' + n * interval '1 minute'"


@dataclass(frozen=True)
class _Reads:
    """A server over tables of one size, and a place in the middle of its lists."""

    url: str
    fills: int

    def requests(self, token: str) -> dict[str, Request]:
        """What is read, by a name for it."""
        middle = _FIRST + timedelta(minutes=self.fills // 2)
        cursor = Position(middle, _NO_ID).cursor()
        paths = {
            "/v1/orders": f"/v1/orders?limit={_PAGE}",
            "/v1/orders, from the middle": f"/v1/orders?limit={_PAGE}&cursor={cursor}",
            "/v1/positions": f"/v1/positions?limit={_PAGE}",
            "/v1/portfolio/history": f"/v1/portfolio/history?limit={_PAGE}",
            "/v1/portfolio/history, from the middle": f"/v1/portfolio/history?limit={_PAGE}&cursor={cursor}",
        }
        return {name: Request("GET", path, {"Authorization": f"Bearer {token}"}) for name, path in paths.items()}


async def measure(place: Stage) -> Sequence[Row]:
    """The median answer's milliseconds."""
    few, many = 1_000, place.sized(1_000_000, 10_000)
    async with running_issuer() as issuer:
        keys = {"FILLSTREAM_JWKS_URL": issuer.jwks_url}
        token = issuer.token(UUID(int=1))
        async with _reads(place, few, keys) as small, _reads(place, many, keys) as large:
            figures: dict[str, list[tuple[float, float]]] = {}
            for turn in range(place.sized(3, 1)):
                for name in small.requests(token):
                    pair = {one.fills: await _p50(place, one, name, token) for one in _order(turn, small, large)}
                    figures.setdefault(name, []).append((pair[many], pair[few]))
    return [
        compared(
            f"{name} with {many:,} fills, p50", "ms", median(large for large, _ in pairs),
            f"with {few:,} fills", median(small for _, small in pairs), AtMost(1.3),
        )
        for name, pairs in figures.items()
    ]  # fmt: skip


def _order(turn: int, *contestants: _Reads) -> Sequence[_Reads]:
    return contestants[::-1] if turn % 2 else contestants


async def _p50(place: Stage, reads: _Reads, name: str, token: str) -> float:
    request = reads.requests(token)[name]
    return (await ask(Load(reads.url, 200, 1, 0.3, place.sized(15, 5) / 10, [request]))).p50_ms


@asynccontextmanager
async def _reads(place: Stage, fills: int, keys: dict[str, str]) -> AsyncIterator[_Reads]:
    """A database with so many fills, and orders and portfolio in a process over it."""
    name = f"bench_{fills}"
    admin = await place.connect()
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    where = place.where.sibling_database(name).with_values(kafka_prefix=f"{name}-", kafka_partitions=1)
    await prepare(where)
    sized = Stage(where, place.home, place.quick)
    await _load(sized, fills)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(
            served(sized, "fillstream", "serve", "orders", "portfolio", environment=keys)
        )
        yield _Reads(running.url, fills)


async def _load(place: Stage, fills: int) -> None:
    # Without the checks of foreign keys, which would take as long again.
    admin = await place.connect()
    await admin.execute("SET session_replication_role = replica")
    for statement in _LOAD:
        await admin.execute(statement.format(id=_ID, owner=_OWNER, moment=_MOMENT), fills, _TENANTS)
    await admin.execute(_MARK, min(fills, _MARKS))
    await admin.execute("VACUUM ANALYZE")
    [[counted]] = await admin.fetch("SELECT count(*) FROM orders.fill")
    await admin.close()
    if counted != fills:
        raise AssertionError(f"{counted} fills were loaded, {fills} wanted")
