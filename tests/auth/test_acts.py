"""What a context tells of an act: in its transaction, without a lock, from where the request came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import ValidationError

from libs.kit.acts import SYSTEM, Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.http.origin import RequestOrigin
from libs.kit.ids import uuid7
from libs.schema.audit import INSTALLATION, ActorKind, ActResult, SecurityActed
from libs.schema.event import Cause
from tests.world import PATIENCE_SECONDS, Running, World

HALTED = Act("trading.halted", SYSTEM, Target("desk", "all"))


@pytest.fixture
async def orders(world: World) -> AsyncIterator[Running]:
    """A context that is not auth."""
    async with world.running("orders") as running:
        yield running


async def test_an_act_is_told_with_all_that_is_known_of_it(world: World, orders: Running) -> None:
    here, staff, customer, cause = uuid7(), uuid7(), uuid7(), Cause(uuid7())
    actor = Actor(ActorKind.STAFF, staff, customer, Origin("192.0.2.7", "curl"))
    async with orders.db.transaction(here, cause) as tx:
        tell_act(tx, here, Act("account.opened", actor, Target("account", here), ActResult.FAILED, "no room"))

    [told] = await world.expect(SecurityActed, 1)

    assert told.event == SecurityActed(
        occurred_at=tx.now, workspace_id=here, act="account.opened", actor_kind=ActorKind.STAFF, actor_id=staff,
        on_behalf_of=customer, target_kind="account", target_id=str(here), result=ActResult.FAILED, reason="no room",
        address="192.0.2.7", device="curl",
    )  # fmt: skip
    assert (told.source, told.tenant_id, told.cause.correlation_id) == ("orders", here, cause.correlation_id)


async def test_acts_are_streams_of_their_own_that_nobody_waits_for(world: World, orders: Running) -> None:
    here = uuid7()
    async with (
        orders.db.transaction(here) as one,
        asyncio.timeout(PATIENCE_SECONDS),
        orders.db.transaction(here) as other,
    ):
        tell_act(one, here, HALTED)
        tell_act(one, here, HALTED)
        tell_act(other, here, HALTED)

    told = await world.expect(SecurityActed, 3)

    assert {act.sequence for act in told} == {1}
    assert len({act.subject for act in told}) == 3


async def test_an_act_of_no_workspace_is_the_installations(world: World, orders: Running) -> None:
    async with orders.db.public() as tx:
        tell_act(tx, None, HALTED)

    [told] = await world.expect(SecurityActed, 1)
    assert (told.event.workspace_id, told.tenant_id) == (INSTALLATION, None)


async def test_an_act_that_a_handler_tells_follows_its_event(world: World, orders: Running) -> None:
    here, cause = uuid7(), Cause(uuid7(), uuid7())
    async with orders.db.work() as tx:
        tell_act(tx, here, HALTED, cause)

    [told] = await world.expect(SecurityActed, 1)
    assert told.cause == cause


async def test_an_act_of_a_transaction_that_fails_is_not_told(world: World, orders: Running) -> None:
    async def fail(tx: Tx) -> None:
        tell_act(tx, None, HALTED)
        raise LookupError

    with pytest.raises(LookupError):
        async with orders.db.public() as tx:
            await fail(tx)

    await world.settled("orders")
    assert world.published(SecurityActed) == []


@pytest.mark.parametrize("name", ["halted", "Trading.halted", "trading.", "trading halted", "", "a." + "b" * 99])
async def test_what_is_no_name_of_an_act_is_refused(orders: Running, name: str) -> None:
    async with orders.db.public() as tx:
        with pytest.raises(ValidationError):
            tell_act(tx, None, Act(name, SYSTEM, Target("desk", "all")))


def _app() -> FastAPI:
    app = FastAPI()
    app.state.trusted_proxies = ()

    @app.get("/")
    async def where(origin: RequestOrigin) -> dict[str, str | None]:
        return {"address": origin.address, "device": origin.device}

    return app


@pytest.mark.parametrize(
    ("said", "device"),
    [
        (b"curl/8.5", "curl/8.5"),
        (b"", None),
        (b"a\tb\x7f", "ab"),
        (b"x" * 400, "x" * 300),
        ("Schreibmaschine für Ämter".encode("latin-1"), "Schreibmaschine für Ämter"),
    ],
)
async def test_a_device_is_what_the_client_says_cut_and_printable(said: bytes, device: str | None) -> None:
    transport = ASGITransport(_app(), client=("192.0.2.7", 1234))
    async with AsyncClient(transport=transport, base_url="http://service") as client:
        answer = await client.get("/", headers=[(b"User-Agent", said)])

    assert answer.json() == {"address": "192.0.2.7", "device": device}


async def test_an_address_that_a_client_claims_is_not_taken_for_its_own() -> None:
    transport = ASGITransport(_app(), client=("192.0.2.7", 1234))
    async with AsyncClient(transport=transport, base_url="http://service") as client:
        answer = await client.get("/", headers={"X-Forwarded-For": "198.51.100.1"})

    assert answer.json()["address"] == "192.0.2.7"
