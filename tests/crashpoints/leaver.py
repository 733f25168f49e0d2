"""What happens to somebody who leaves? They trade, let a program in, get all that is held about them, and are erased.

What goes on by itself is waited for in the database: requests in a service that counts its crossings would add to them.
"""

from __future__ import annotations

import asyncio
import io
import json
import time
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from libs.kit.acts import Origin
from services.auth.commands.erasures import request_erasure
from tests.crashpoints.scenario import INITIAL_CASH, PASSWORD, Act, Leaver, Run
from tests.proved import prove_address

_PATIENCE_SECONDS = 120.0
_AGAIN_SECONDS = 0.03
_SCOPE = "orders:read"


async def come(run: Run) -> None:
    email = f"leaver-of-{run.email}"
    credentials = {"email": email, "password": PASSWORD}
    await run.client.make("/v1/auth/register", "", credentials | {"workspace_name": f"{run.name} away"})
    await prove_address(run.stage.databases["auth"], email)
    session = await run.client.post("/v1/auth/login", "", credentials)
    [row] = await run.stage.connection.fetch('SELECT id, default_workspace_id FROM auth."user" WHERE email = $1', email)
    run.leaver = Leaver(email, row[0], row[1], session["access_token"])
    await run.client.patch("/v1/profile", run.leaver.token, {"zip_code": "560001", "risk_tolerance": "LOW"})


async def trade_a_little(run: Run) -> None:
    """The order waits for a price that never comes: it is there when its owner goes."""
    leaver = run.leaver
    account = {"name": "nest egg", "currency": "USD", "initial_cash": INITIAL_CASH}
    leaver.account_id = (await run.client.post("/v1/accounts", leaver.token, account, "account"))["id"]
    order = {
        "account_id": leaver.account_id, "client_order_id": "waits", "symbol": run.symbol, "side": "BUY",
        "order_type": "LIMIT", "quantity": "5", "limit_price": "1", "time_in_force": "GTC",
    }  # fmt: skip
    await run.client.post("/v1/orders", leaver.token, order, "order")


async def let_a_program_in(run: Run) -> None:
    """A key whose secret was lost with its answer is of no use: there is another one then."""
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    wanted = {"name": "reader", "scopes": [_SCOPE], "expires_at": until}
    key = await run.client.post("/v1/api-keys", run.leaver.token, wanted)
    shown = {name: key[name] for name in ("client_id", "client_secret")}
    program = await run.client.post("/v1/auth/token", "", shown | {"grant_type": "client_credentials"})
    assert program["scope"] == _SCOPE, f"a program may do {program['scope']}"
    orders = (await run.client.get("/v1/orders", program["access_token"]))["items"]
    assert len(orders) == 1, f"a program sees {len(orders)} orders instead of 1"


async def ask_for_all_that_is_held(run: Run) -> None:
    leaver = run.leaver
    asked = await run.client.post("/v1/me/exports", leaver.token)

    async def lacks() -> str:
        rows = await run.stage.connection.fetch(
            """
            SELECT id::text, state, ARRAY(
                SELECT holder FROM jsonb_array_elements_text(e.holders) holder WHERE NOT EXISTS (
                    SELECT FROM auth.data_export_answer a WHERE a.export_id = e.id AND a.context = holder)) AS silent
            FROM auth.data_export e WHERE user_id = $1
            """,
            leaver.user_id,
        )
        found = [(row["id"], row["state"]) for row in rows]
        return "" if found == [(asked["id"], "READY")] else f"exports {[tuple(row) for row in rows]}"

    await _until_nothing(lacks)
    packed = await run.client.download(f"/v1/me/exports/{asked['id']}/archive", leaver.token)
    _see_that_all_is_there(run, zipfile.ZipFile(io.BytesIO(packed)))


def _see_that_all_is_there(run: Run, packed: zipfile.ZipFile) -> None:
    """Every context has told every row once, and none is without one."""
    manifest = json.loads(packed.read("manifest.json"))
    lines = {path: len(packed.read(path).splitlines()) for path in packed.namelist() if path != "manifest.json"}
    told = {f"{table}.jsonl": rows for table, rows in manifest["tables"].items() if rows}
    assert lines == told, f"the archive has the lines {lines}, its contexts told {told}"
    contexts = {table.partition("/")[0] for table in manifest["tables"]}
    missing = {context.name for context in run.stage.contexts} - contexts
    assert not missing, f"the archive has nothing of {sorted(missing)}"


async def be_shut_out(run: Run) -> None:
    """An operator begins the erasure, without a time to think again."""
    leaver = run.leaver
    async with run.stage.databases["auth"].work() as tx:
        await request_erasure(tx, leaver.workspace_id, leaver.user_id, timedelta(0), Origin())
    await _until_nothing(lambda: _way_to(run, "CLOSED"))


async def be_erased(run: Run) -> None:
    """The time is over in which what was under way arrives."""
    await run.stage.connection.execute("UPDATE auth.erasure SET next_at = now() WHERE user_id = $1", run.leaver.user_id)
    await _until_nothing(lambda: _way_to(run, "CERTIFIED"))


async def _way_to(run: Run, state: str) -> str:
    """What an erasure lacks; nothing once it is in the state."""
    [row] = await run.stage.connection.fetch(
        """
        SELECT state, ARRAY(
            SELECT holder FROM jsonb_array_elements_text(e.holders) holder WHERE NOT EXISTS (
                SELECT FROM auth.erasure_answer a WHERE a.erasure_id = e.id AND a.context = holder)) AS silent
        FROM auth.erasure e WHERE user_id = $1
        """,
        run.leaver.user_id,
    )
    return "" if row["state"] == state else f"the erasure is {row['state']}, without answers of {row['silent']}"


async def _until_nothing(lacks: Callable[[], Awaitable[str]]) -> None:
    """Wait until nothing is lacking. Raises AssertionError with what still is."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while missing := await lacks():
        assert time.monotonic() < deadline, f"after {_PATIENCE_SECONDS:.0f} s: {missing}"
        await asyncio.sleep(_AGAIN_SECONDS)


DEPARTURE: Sequence[Act] = (
    come, trade_a_little, let_a_program_in, ask_for_all_that_is_held, be_shut_out, be_erased,
)  # fmt: skip
