"""Who notices an import? Callers who place orders meanwhile, by the slowest of a hundred answers, against quiet times.

All contexts that bars concern run in one process, as with `fillstream up`, for thousands of open accounts. The import is of
daily closes of an instrument that nobody holds: it must end, and make no point and no event of any account.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from uuid import UUID

from bench.load import Load, Request, ask
from bench.processes import served
from bench.report import AtMost, Row, compared
from bench.stage import Stage
from libs.kit.ids import uuid7
from tests.issuer import Issuer, running_issuer

_ACCOUNTS = 2_507
_CLOSES = 1_000
_ASKERS = 20
_END_SECONDS = 300
_CASH = 1_000_000
_CONTEXTS = ("marketdata", "signals", "orders", "portfolio")
_PREPARE = """
    INSERT INTO orders.market (symbol, currency) VALUES ('AAPL', 'USD');
    INSERT INTO orders.bar (symbol, timeframe, open_time, open, high, low, close)
    VALUES ('AAPL', '1d', '2024-01-02', 118, 119, 117, 118.5);
"""
_OPEN_ACCOUNTS = """
    INSERT INTO orders.account (id, tenant_id, name, broker, currency, initial_cash, cash, reserved, auto_trading,
                                status, version)
    SELECT id, tenant_id, 'bench', 'paper', 'USD', $3, $3, 0, false, 'ACTIVE', 1
    FROM unnest($1::uuid[], $2::uuid[]) a (id, tenant_id)
"""
_OPEN_BOOKS = """
    INSERT INTO portfolio.book (id, tenant_id, name, currency, deposits, cash, realised_pnl, fees, version)
    SELECT id, tenant_id, 'bench', 'USD', $3, $3, 0, 0, 0 FROM unnest($1::uuid[], $2::uuid[]) a (id, tenant_id)
"""
_MADE = """
    SELECT (SELECT count(*) FROM portfolio.mark WHERE symbol = 'ZZZ'), (SELECT count(*) FROM portfolio.equity_point),
           (SELECT count(*) FROM portfolio.outbox) + (SELECT count(*) FROM portfolio.event_log)
"""


@dataclass(frozen=True)
class _Account:
    tenant_id: UUID
    id: UUID


async def measure(place: Stage) -> Sequence[Row]:
    """Milliseconds of an order, and the seconds until the last close has arrived."""
    accounts = [_Account(uuid7(), uuid7()) for _ in range(place.sized(_ACCOUNTS, 100))]
    await _open(place, accounts)
    async with (
        running_issuer() as issuer,
        served(place, "fillstream", "serve", *_CONTEXTS, environment={"FILLSTREAM_JWKS_URL": issuer.jwks_url}) as ours,
    ):
        load = _orders(ours.url, issuer, accounts, place.sized(8, 1))
        quiet = await ask(load)
        asking = asyncio.create_task(ask(load))
        seconds = await _import(place)
        meanwhile = await asking
    return [
        compared(
            f"an order while {_CLOSES} closes are imported, p99", "ms", meanwhile.p99_ms, "in quiet times",
            quiet.p99_ms, AtMost(3), note=f"{len(accounts)} accounts",
        ),
        Row(f"an import of {_CLOSES} closes of what nobody holds", "s", seconds, note="until the portfolio has them"),
    ]  # fmt: skip


async def _open(place: Stage, accounts: Sequence[_Account]) -> None:
    admin = await place.connect()
    await admin.execute(_PREPARE)
    columns = [one.id for one in accounts], [one.tenant_id for one in accounts]
    await admin.execute(_OPEN_ACCOUNTS, *columns, _CASH)
    await admin.execute(_OPEN_BOOKS, *columns, _CASH)
    await admin.close()


def _orders(url: str, issuer: Issuer, accounts: Sequence[_Account], seconds: int) -> Load:
    """One caller after the other places an order that rests."""
    return Load(url, 201, 1, 1.0, float(seconds), [_order(issuer, one) for one in accounts[:_ASKERS]])


def _order(issuer: Issuer, account: _Account) -> Request:
    wanted = {
        "account_id": str(account.id), "symbol": "AAPL", "side": "BUY", "order_type": "LIMIT", "quantity": "1",
        "limit_price": "1.00", "time_in_force": "GTC",
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {issuer.token(account.tenant_id)}"}
    return Request("POST", "/v1/orders", headers, json.dumps(wanted))


async def _import(place: Stage) -> float:
    """Run the command, and wait until the last close is kept. Raises AssertionError when an account got anything."""
    file = place.home / "ZZZ.csv"
    _write_closes(file)
    started = time.perf_counter()
    command = (sys.executable, "-m", "fillstream", "bars", "import", str(file), "--currency", "USD")
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | place.where.environment())
    if await process.wait() != 0:
        raise RuntimeError("the import failed")
    admin = await place.connect()
    async with asyncio.timeout(_END_SECONDS):
        while tuple(await admin.fetchrow(_MADE)) != (_CLOSES, 0, 0):
            [marks, *made] = await admin.fetchrow(_MADE)
            if any(made):
                raise AssertionError(f"after {marks} closes of what nobody holds: {made[0]} points, {made[1]} events")
            await asyncio.sleep(0.05)
    await admin.close()
    return time.perf_counter() - started


def _write_closes(file: Path) -> None:
    days = [date(2001, 1, 1) + timedelta(days=number) for number in range(_CLOSES)]
    lines = ["Date,Open,High,Low,Close,Volume", *(f"{day},5.00,5.10,4.90,5.00,100" for day in days)]
    file.write_text("\n".join(lines))
