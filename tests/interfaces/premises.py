"""What is asked? All contexts at work in this process, behind them a workspace with a history, and its neighbours."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import UUID

import asyncpg
from httpx2 import ASGITransport, AsyncClient, Response
from joserfc.jwk import OKPKey
from starlette.types import ASGIApp

from fillstream.contexts import load, load_all
from fillstream.gateway import gateway
from fillstream.inflight import InFlight, watch_in_flight
from fillstream.installation import Installation
from fillstream.serve import Serving, serving
from libs.kit.crypto.key_encryption import WrappedKey
from libs.kit.db import database
from libs.kit.ids import uuid7
from libs.kit.settings import Settings
from services.auth.commands.staff import grant_role
from services.auth.model import PlatformRole
from services.auth.settings import Settings as AuthSettings
from tests.auth.builders import Forger, bearer
from tests.auth.builders import Person as Session
from tests.interfaces.expectations import EXPECTATIONS, GATEWAY, ROLES, Scoped
from tests.interfaces.mailbox import INVITATION, newest_token
from tests.interfaces.people import Call, Json, Person
from tests.interfaces.routes import method_of, path_of, served
from tests.keysets import vault_at
from tests.orders.builders import a_bar, ahead
from tests.world import PATIENCE_SECONDS

ALL_SCOPES = " ".join(sorted({e.scope for e in EXPECTATIONS.values() if isinstance(e, Scoped) and e.scope}))
_PASSWORD = "correct horse battery staple"
_CLOSES = ("100", "99", "98", "105", "110", "100", "90", "95")


@dataclass(frozen=True)
class Premises:
    """Every context, everything that it serves, and who may ask."""

    where: Installation
    serving: Serving
    apps: Mapping[str, ASGIApp]
    """Each context's."""
    clients: Mapping[str, AsyncClient]
    """Anybody, without a token, at each context's app and at the gateway."""
    routes: Mapping[str, frozenset[str]]
    """What each of them serves."""
    in_flight: InFlight
    admin: asyncpg.Connection
    key: OKPKey
    """Auth's own, stolen from its database with its secret."""

    async def send(self, route: str, call: Call, headers: Mapping[str, str]) -> Response:
        """Send a call to whoever serves its route."""
        return await self.send_to(self.owner(route), route, call, headers)

    async def send_to(self, owner: str, route: str, call: Call, headers: Mapping[str, str]) -> Response:
        """Send a call to one context or the gateway."""
        path = path_of(route).format_map(call.path)
        return await self.clients[owner].request(
            method_of(route), path, params=call.query, json=call.body, headers=headers
        )

    def owner(self, route: str) -> str:
        """The context that serves a route."""
        owners = [name for name, routes in self.routes.items() if route in routes]
        assert owners, f"nobody serves {route}"
        return owners[0]

    successors: dict[str, str] = field(default_factory=dict)
    """The session that took the place of one which some call has ended, by its id."""

    def forger(self, person: Person) -> Forger:
        """Makes tokens of a person like auth's own."""
        return self._forger(person.session)

    def _forger(self, session: Session) -> Forger:
        return Forger(
            replace(session, session_id=self.successors.get(session.session_id, session.session_id)), self.key
        )

    async def revive(self, *people: Person) -> None:
        """Open sessions in the place of those that calls have ended: what is dangerous takes one that goes on."""
        of_user = {person.session.user_id: person.session.session_id for person in people}
        made = await self.admin.fetch(
            "INSERT INTO auth.session SELECT (made).* FROM (SELECT jsonb_populate_record(ended, jsonb_build_object("
            "'id', gen_random_uuid(), 'ended_at', NULL)) AS made FROM auth.session ended"
            " WHERE id = ANY($1) AND ended_at IS NOT NULL) again RETURNING id::text, user_id::text",
            [UUID(self.forger(person).person.session_id) for person in people],
        )
        self.successors.update({of_user[row["user_id"]]: row["id"] for row in made})

    async def register(self, email: str) -> Person:
        """Somebody new, whose address is proved, and whose workspace every context has heard of."""
        call = Call({"email": email, "password": _PASSWORD})
        made = (await self.send("POST /v1/auth/register", call, {})).raise_for_status().json()
        person = Person(
            email,
            _PASSWORD,
            Session(made["user_id"], made["workspace_id"], "", ""),
            self.send,
            mailbox=self.mailed,
            begin_anew=self.forget_steps,
        )
        await self.admin.execute('UPDATE auth."user" SET email_verified = true WHERE id = $1', UUID(made["user_id"]))
        session = await person.log_in()
        person = replace(person, session=session)
        await self.in_flight.wait_until_none()
        return replace(person, forge=lambda session: self._forger(session).token(scope=ALL_SCOPES))

    async def mailed(self, person: Person, purpose: str) -> str:
        """A token as if it had been sent to the person; an invitation's, as it was."""
        if purpose == INVITATION:
            settings = self.where.of(load("auth"))
            assert isinstance(settings, AuthSettings)
            key = settings.mail_token_secret.get_secret_value()
            return await newest_token(self.admin, key, person.email, purpose)
        secret = secrets.token_urlsafe(32)
        if purpose == "CERTIFICATE":
            return await self._certified(person, secret)
        await self.admin.execute(
            "INSERT INTO auth.mailed_token (id, tenant_id, user_id, purpose, email, token_hash, expires_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, now() + interval '1 hour')",
            uuid7(), workspace_of(person), UUID(person.session.user_id), purpose, person.email,
            hashlib.sha256(secret.encode()).digest(),
        )  # fmt: skip
        return f"{person.session.workspace_id}.{secret}"

    async def forget_steps(self, person: Person) -> None:
        """Let the person be a newcomer once more."""
        await self.admin.execute(
            "UPDATE auth.onboarding_progress SET steps = '{}', completed_at = NULL WHERE user_id = $1",
            UUID(person.session.user_id),
        )

    async def ask(self, path: str, body: Json, token: str) -> Json:
        """What is answered to a body that is posted."""
        answer = await self.send(f"POST {path}", Call(body), bearer(token) if token else {})
        document: Json = answer.raise_for_status().json()
        return document

    async def _certified(self, person: Person, secret: str) -> str:
        """A token as if the person had been erased, and were there all the same."""
        await self.admin.execute(
            "INSERT INTO auth.erasure (id, tenant_id, user_id, state, due_at, next_at, holders, ticket_hash, certificate,"
            " version) VALUES ($1, $2, $3, 'CERTIFIED', now(), now(), '[]', $4, 'a certificate', 0)",
            uuid7(), workspace_of(person), UUID(person.session.user_id), hashlib.sha256(secret.encode()).digest(),
        )  # fmt: skip
        return f"{person.session.workspace_id}.{secret}"

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask the database as its administrator."""
        return await self.admin.fetch(sql, *arguments)

    async def raised(self, person: Person, role: PlatformRole) -> Person:
        """The person with a role, as an operator gives it, and a session that knows of it."""
        async with database(self.where.settings(Settings), "auth") as db, db.work() as tx:
            await grant_role(tx, person.email, role)
        return replace(person, session=await person.log_in())

    async def make_support(self, person: Person) -> None:
        """Let a person be of the support staff."""
        await self.admin.execute(
            "UPDATE auth.\"user\" SET platform_role = 'SUPPORT' WHERE id = $1", UUID(person.session.user_id)
        )


@asynccontextmanager
async def open_premises(where: Installation) -> AsyncIterator[Premises]:
    """Run all contexts until the body ends."""
    contexts = load_all()
    settings = where.settings(Settings)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serving(contexts, where))
        in_flight = await stack.enter_async_context(watch_in_flight(contexts, settings))
        apps = {service.name: service.http for service in running.services}
        clients = {
            name: AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://service")
            for name, app in apps.items()
        }
        clients[GATEWAY] = AsyncClient(base_url=running.url, trust_env=False, timeout=PATIENCE_SECONDS)
        for client in clients.values():
            await stack.enter_async_context(client)
        routes = {name: frozenset(served(app.routes)) for name, app in apps.items()}
        routes[GATEWAY] = frozenset(served(_own_routes()))
        admin = await asyncpg.connect(settings.database_url.get_secret_value())
        stack.push_async_callback(admin.close)
        yield Premises(where, running, apps, clients, routes, in_flight, admin, await _signing_key(where, admin))


def _own_routes() -> Sequence[object]:
    routes: Sequence[object] = gateway(load_all(), dict.fromkeys(_names(), _nobody), [], [])._own.routes  # type: ignore[attr-defined]  # noqa: SLF001
    return routes


def _names() -> list[str]:
    return [context.name for context in load_all()]


async def _nobody(*_: object) -> None:
    """A backend that is never asked."""


async def _signing_key(where: Installation, admin: asyncpg.Connection) -> OKPKey:
    [row] = await admin.fetch("SELECT * FROM auth.signing_key")
    vault = vault_at(where.settings(Settings).encryption_key_url or "")
    return await vault.open(row["kid"], WrappedKey(row["sealed_private_key"], row["wrapped_by"]))


@dataclass(frozen=True)
class Neighbours:
    """Workspaces of one installation: Ada has traded; Bob has only registered, and only reads; Eve writes."""

    ada: Person
    bob: Person
    eve: Person
    private: frozenset[str]
    """Ids and names of Ada's that nobody else may see."""

    def stranger(self, route: str) -> Person:
        """Who calls a route with Ada's things in mind; what strangers make is never in the way of who reads."""
        return self.bob if method_of(route) == "GET" else self.eve


async def let_trade(in_flight: InFlight, person: Person) -> None:
    """A history in every context: a strategy and a backtest, signals, orders, fills, a position, and its worth."""
    for symbol in ("AAPL", "IBM"):
        await person.made("POST /v1/instruments", Call({"symbol": symbol, "name": symbol, "currency": "USD"}))
    account = {"name": "paper of ada", "currency": "USD", "initial_cash": "100000", "auto_trading": True}
    opened = await person.made("POST /v1/accounts", Call(account))
    parameters = {"kind": "sma_cross", "fast": 1, "slow": 2}
    strategy = {"name": "trend of ada", "symbol": "AAPL", "timeframe": "1d", "size": "10", "parameters": parameters}
    await person.made("POST /v1/strategies", Call(strategy))
    await in_flight.wait_until_none()
    order = {"account_id": opened["id"], "symbol": "AAPL", "side": "BUY", "order_type": "MARKET", "quantity": "5"}
    await person.made("POST /v1/orders", Call(order | {"time_in_force": "GTC"}))
    bars = [a_bar(ahead(day), close, low="80", high="120") for day, close in enumerate(_CLOSES, start=1)]
    body = {"bars": [
        {"symbol": bar.symbol, "timeframe": bar.timeframe, "open_time": bar.open_time.isoformat(), "open": str(bar.open),
         "high": str(bar.high), "low": str(bar.low), "close": str(bar.close), "volume": "1000"}
        for bar in bars
    ]}  # fmt: skip
    await person.made("POST /v1/bars", Call(body))
    await in_flight.wait_until_none()


def workspace_of(person: Person) -> UUID:
    """The id that every row of a person's workspace names."""
    return UUID(person.session.workspace_id)


def scopes_of(role: str) -> str:
    """What a token of somebody with a role allows."""
    return " ".join(sorted(ROLES[role]))
