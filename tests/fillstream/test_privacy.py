"""A person gets all that every context holds about them, and once they are erased nothing of theirs is anywhere.

Nothing, that is, but what the certificate lists.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from joserfc import jws
from joserfc.jwk import KeySet
from pydantic import SecretStr

from fillstream.contexts import names
from fillstream.demo.tenant import Tenant
from fillstream.embedded.stack import Endpoints
from fillstream.replay import replay_in_lockstep
from libs.kit.crypto.encryption import encryption
from libs.kit.crypto.keyring import Unsealable
from libs.kit.crypto.places import Place
from libs.kit.db import database
from libs.kit.mail_secrets import mail_secret
from services.auth.settings import Settings
from tests.fillstream.builders import SMALL_WORKSPACES, House, a_house, a_walk, an_installation, no_step, together
from tests.structure.test_personal_data import holdings_of
from tests.world import eventually

PAN = "ABCPK1234F"
SAID = {"first_name": "Adelheid", "last_name": "Quittenbaum", "username": "quitte", "phone_number": "+14155552671"}
NEEDLES = ("crossing@example.com", PAN, *SAID.values(), "The nest egg of Adelheid")
MESSAGES = ("event_log", "outbox", "dead_letter")


@dataclass(frozen=True)
class Home:
    """A house, and two who live in it."""

    house: House
    ada: Tenant
    neighbour: Tenant

    async def ask(self, method: str, path: str, **request: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.ada.token}"}
        answer = await self.house.client.request(method, path, headers=headers, **request)
        assert answer.is_success, (path, answer.text)
        return answer

    async def user_id(self, tenant: Tenant) -> UUID:
        [row] = await self.house.fetch("SELECT owner_id FROM auth.workspace WHERE id = $1", tenant.id)
        return UUID(str(row[0]))

    async def rows(self, tenant: Tenant) -> dict[str, int]:
        """How many rows of each table are somebody's."""
        ids = [tenant.id, await self.user_id(tenant)]
        found = {}
        for name in names():
            for table, holding in holdings_of(name).personal():
                whose = " OR ".join(f'"{column}" = ANY($1::uuid[])' for column in holding.owners)
                [row] = await self.house.fetch(f'SELECT count(*) FROM {name}."{table.name}" WHERE {whose}', ids)
                found[f"{name}/{table.name}"] = row[0]
        return found


@pytest.fixture
async def home(stack: Endpoints, template: str) -> AsyncIterator[Home]:
    async with an_installation(stack, template) as bare:
        where = bare.with_values(auth_privacy_seconds=0.2)
        async with a_house(where, SMALL_WORKSPACES) as house:
            made = Home(house, *house.tenants)
            await made.ask("PATCH", "/v1/me", json=SAID)
            await made.ask("PATCH", "/v1/profile", json={"pan_number": PAN, "max_daily_loss": _sum("1.00000001")})
            account = {"name": NEEDLES[-1], "currency": "USD", "initial_cash": "1000"}
            opened = (await made.ask("POST", "/v1/accounts", json=account)).json()
            await made.ask("POST", "/v1/orders", json=_a_low_bid(opened["id"]))
            await replay_in_lockstep(house.marketdata, house.in_flight, together(a_walk("AAPL", 30)), no_step)
            yield made


def _sum(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def _a_low_bid(account_id: str) -> dict[str, str]:
    return {
        "account_id": account_id, "symbol": "AAPL", "side": "BUY", "order_type": "LIMIT", "quantity": "1",
        "limit_price": "0.01", "time_in_force": "GTC",
    }  # fmt: skip


async def exported(home: Home) -> zipfile.ZipFile:
    """The archive of a new export."""
    asked = (await home.ask("POST", "/v1/me/exports")).json()

    async def ready() -> None:
        [shown] = (await home.ask("GET", "/v1/me/exports")).json()["items"]
        assert (shown["id"], shown["state"]) == (asked["id"], "READY")

    await eventually(ready)
    answer = await home.ask("GET", f"/v1/me/exports/{asked['id']}/archive")
    assert answer.headers["content-type"] == "application/zip"
    return zipfile.ZipFile(io.BytesIO(answer.content))


async def erased(home: Home) -> dict[str, Any]:
    """The certificate of somebody who wanted to go, and did not think again."""
    asked = (await home.ask("POST", "/v1/me/erasure")).json()
    erasure_id = UUID(asked["id"])
    await reach(home, erasure_id, "CLOSED")
    await home.house.in_flight.wait_until_none()
    await reach(home, erasure_id, "CERTIFIED")
    await home.house.in_flight.wait_until_none()
    [last] = await home.house.fetch(
        "SELECT data::jsonb->>'mail_id', tenant_id FROM auth.event_log WHERE data::jsonb->>'template' = 'ACCOUNT_CLOSED'"
    )
    key = SecretStr(str(home.house.where.values["mail_token_secret"]))
    token = f"{last[1]}.{mail_secret(key, UUID(last[0]))}"
    answer = await home.house.client.post("/v1/auth/erasure-certificate", json={"token": token})
    assert answer.json()["state"] == "CERTIFIED", answer.text
    keys = KeySet.import_key_set((await home.house.client.get("/.well-known/jwks.json")).json())
    said: dict[str, Any] = json.loads(jws.deserialize_compact(answer.json()["certificate"], keys, ["Ed25519"]).payload)
    return said


async def reach(home: Home, erasure_id: UUID, state: str) -> None:
    """Let the time of the next step come, and wait until it is done."""
    await home.house.fetch("UPDATE auth.erasure SET next_at = now() - interval '1 second' WHERE id = $1", erasure_id)

    async def reached() -> None:
        [row] = await home.house.fetch("SELECT state FROM auth.erasure WHERE id = $1", erasure_id)
        assert row[0] == state

    await eventually(reached)


async def test_the_archive_holds_every_row_of_every_table_about_the_person(home: Home) -> None:
    before = await home.rows(home.ada)
    packed = await exported(home)
    after = await home.rows(home.ada)
    manifest = json.loads(packed.read("manifest.json"))

    files = {path: packed.read(path) for path in packed.namelist() if path != "manifest.json"}
    lines = {path.removesuffix(".jsonl"): text.splitlines() for path, text in files.items()}
    assert manifest["tables"].keys() == before.keys()
    assert manifest["sha256"] == {path: hashlib.sha256(text).hexdigest() for path, text in files.items()}
    assert {path: len(lines.get(path, [])) for path in before} == manifest["tables"]
    # Some are added to by the export itself, such as the trail of who asked for it.
    outside = {
        path: (before[path], count, after[path])
        for path, count in manifest["tables"].items()
        if not before[path] <= count <= after[path]
    }
    assert not outside
    assert {path for path, count in before.items() if count} >= {
        "auth/profile", "orders/fill", "portfolio/posting", "signals/signal", "notifications/notification",
        "billing/subscription",
    }  # fmt: skip
    [profile] = map(json.loads, lines["auth/profile"])
    assert (profile["pan_number"], profile["max_daily_loss"]) == (PAN, "1.00000001")
    assert await home.house.fetch("SELECT FROM auth.data_export_part WHERE position('pan_number' IN content) > 0") == []


async def test_no_secret_is_in_the_archive(home: Home) -> None:
    packed = await exported(home)
    everything = b"".join(packed.read(path) for path in packed.namelist())
    rows = await home.house.fetch('SELECT password_hash FROM auth."user"')
    secrets = [row[0].encode() for row in rows]
    rows = await home.house.fetch(
        "SELECT token_hash FROM auth.refresh_token UNION SELECT wrapped_key FROM auth.data_key "
        "UNION SELECT token_hash FROM auth.mailed_token"
    )
    secrets += [form for row in rows for form in (base64.b64encode(row[0])[:20], row[0].hex().encode())]
    assert [secret for secret in secrets if secret in everything] == []
    assert str(home.neighbour.id).encode() not in everything


async def test_nothing_is_left_of_who_was_erased_but_what_the_certificate_lists(home: Home) -> None:
    others = await home.rows(home.neighbour)
    had = await home.rows(home.ada)
    user_id = await home.user_id(home.ada)
    [profile] = await home.house.fetch("SELECT id, pan_number FROM auth.profile WHERE tenant_id = $1", home.ada.id)

    certificate = await erased(home)

    assert await traces(home, user_id) == []
    listed = {f"{one['context']}/{row['table']}": row for one in certificate["contexts"] for row in one["kept"]}
    gone = {f"{one['context']}/{row['table']}": row["rows"] for one in certificate["contexts"] for row in one["erased"]}
    assert listed.keys() | gone.keys() == had.keys() | {
        f"{n}/{t}" for n in names() for t in ("event_log", "dead_letter")
    }
    left = await left_of(home, user_id)
    # The answers themselves, which are not there before they are told.
    assert left.pop("auth/erasure_answer") == len(names())
    assert left == {path: row["rows"] for path, row in listed.items() if row["rows"]} | {"auth/user": 1}
    assert all(row["ground"] and row["until"] for row in listed.values())
    assert gone["auth/profile"] == 1
    assert gone["signals/strategy"] == had["signals/strategy"] > 0
    assert {path: count for path, count in (await home.rows(home.neighbour)).items() if count < others[path]} == {}
    await assert_shredded(home, profile["id"], profile["pan_number"])


async def left_of(home: Home, user_id: UUID) -> dict[str, int]:
    """How many rows there are of somebody whose workspace has no owner any more."""
    found = {}
    for name in names():
        for table, holding in holdings_of(name).personal():
            whose = " OR ".join(f'"{column}" = ANY($1::uuid[])' for column in holding.owners)
            ids = [home.ada.id, user_id]
            [row] = await home.house.fetch(f'SELECT count(*) FROM {name}."{table.name}" WHERE {whose}', ids)
            if row[0]:
                found[f"{name}/{table.name}"] = row[0]
    return found


async def traces(home: Home, user_id: UUID) -> list[tuple[str, str]]:
    """Every table that still says something of the person, but messages, which the certificate lists as kept."""
    tables = await home.house.fetch(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = ANY($1::text[]) "
        "AND table_type = 'BASE TABLE'",
        names(),
    )
    found = []
    for schema, table in tables:
        if table.startswith(MESSAGES):
            continue
        for needle in NEEDLES:
            rows = await home.house.fetch(
                f'SELECT FROM {schema}."{table}" t WHERE position(lower($1) IN lower(t::text)) > 0 LIMIT 1', needle
            )
            found += [(f"{schema}.{table}", needle)] if rows else []
    return found


async def assert_shredded(home: Home, row: UUID, sealed: bytes) -> None:
    """A copy of what was sealed, of a backup for example, opens no more."""
    settings = home.house.where.settings(Settings)
    async with encryption(settings) as ours, database(settings, "auth") as db, db.work() as tx:
        ring = await ours.keyring(tx, home.ada.id)
    with pytest.raises(Unsealable):
        ring.open(sealed, Place("profile", "pan_number", row))


async def test_no_order_of_who_was_erased_waits_for_a_trade(home: Home) -> None:
    def open_() -> Any:
        return home.house.fetch('SELECT FROM orders."order" WHERE tenant_id = $1 AND closed_at IS NULL', home.ada.id)

    assert await open_()
    await erased(home)
    assert not await open_()
    points = "SELECT count(*) FROM portfolio.equity_point WHERE tenant_id = $1"
    bars = a_walk("AAPL", 33)[30:]
    await replay_in_lockstep(home.house.marketdata, home.house.in_flight, bars, no_step)
    assert [row[0] for row in await home.house.fetch(points, home.ada.id)] == [0]
    assert [row[0] for row in await home.house.fetch(points, home.neighbour.id)] > [0]
