"""What any context tells of security is in its workspace's trail, in order, once, and how far it goes is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from httpx2 import AsyncClient
from joserfc.jwk import KeySet

from libs.kit.acts import Act, Actor, Target, tell_act
from libs.kit.ids import uuid7
from libs.schema.audit import INSTALLATION, ActorKind, AuditHeadPublished, SecurityActed
from libs.schema.event import Cause
from services.auth.audit.chain import Walk
from services.auth.audit.heads import Head, open_head
from services.auth.commands.signing_keys import rotate_signing_key
from services.auth.commands.staff import grant_role
from services.auth.model import PlatformRole
from tests.auth.builders import (
    Forger,
    Person,
    a_person,
    bearer,
    issuing,
    log_in,
    private_key,
    refresh,
    refresh_elsewhere,
)
from tests.auth.devices import a_device
from tests.auth.trails import an_act, chain_of, has_recorded, head_at, tell
from tests.world import Running, World


@pytest.fixture
async def auth(world: World) -> AsyncIterator[Running]:
    """Auth that tells heads all the time."""
    async with world.running("auth", auth_audit_head_seconds=0.05) as running:
        yield running


@pytest.fixture
async def ada(client: AsyncClient) -> Person:
    return await a_person(client)


async def owner(client: AsyncClient, world: World, workspace_id: UUID) -> dict[str, str]:
    """Headers of somebody who may read a workspace's trail."""
    anybody = Person(str(uuid7()), str(workspace_id), "", "")
    return bearer(Forger(anybody, await private_key(world)).token(scope="audit:read"))


async def test_an_act_that_another_context_told_is_in_the_trail_of_its_workspace_and_of_no_other(
    client: AsyncClient, world: World, auth: Running
) -> None:
    here, elsewhere = uuid7(), uuid7()
    act = an_act(here, on_behalf_of=UUID(int=8), reason="they asked")
    row = world.envelope(act, tenant_id=here)
    await world.send(row)
    [held] = await has_recorded(auth.db, here, 1)

    [shown] = (await client.get("/v1/audit", headers=await owner(client, world, here))).json()["items"]
    others = (await client.get("/v1/audit", headers=await owner(client, world, elsewhere))).json()["items"]

    told = act.model_dump(mode="json", exclude={"workspace_id"})
    assert {name: shown[name] for name in told} == told
    assert (shown["sequence"], shown["source"], shown["event_id"]) == (1, "audit", str(row.event_id))
    assert shown["correlation_id"] == str(row.correlation_id)
    assert (shown["previous_hash"], shown["hash"]) == (held.previous_hash.hex(), held.hash.hex())
    assert others == []


async def test_what_another_context_does_is_recorded_as_its_own(world: World, auth: Running) -> None:
    here, order = uuid7(), uuid7()
    async with world.running("orders") as orders, orders.db.transaction(here, Cause(uuid7())) as tx:
        tell_act(tx, here, Act("order.cancelled", Actor(ActorKind.USER, UUID(int=7)), Target("order", order)))
        correlation_id = tx.cause.correlation_id

    async with world.running("orders"):
        [held] = await has_recorded(auth.db, here, 1)
    assert (held.entry.source, held.entry.act, held.entry.target_id) == ("orders", "order.cancelled", str(order))
    assert held.entry.correlation_id == correlation_id


async def test_a_redelivered_act_is_recorded_once(world: World, auth: Running) -> None:
    here = uuid7()
    first, second = (world.envelope(an_act(here, n), tenant_id=here) for n in range(2))

    await world.send(first, first, second, first)

    await has_recorded(auth.db, here, 2)
    await world.settled("auth")
    assert len(await chain_of(auth.db, here)) == 2


async def test_a_batch_of_many_workspaces_gives_each_its_own_chain(world: World, auth: Running) -> None:
    workspaces = [uuid7() for _ in range(20)]

    await tell(world, *(an_act(workspace, n) for n in range(5) for workspace in workspaces))

    for workspace in workspaces:
        links = await has_recorded(auth.db, workspace, 5)
        assert [one.entry.target_id for one in links] == [f"number {n}" for n in range(5)]
        assert Walk(workspace, {}).along(links) is None


async def test_an_act_of_no_workspace_is_in_the_trail_of_the_installation(world: World, auth: Running) -> None:
    await tell(world, an_act(INSTALLATION))

    assert (await has_recorded(auth.db, INSTALLATION, 1))[0].entry.workspace_id == INSTALLATION


@pytest.mark.parametrize("teller", [uuid7(), None], ids=["a workspace", "nobody's transaction"])
async def test_an_act_that_names_the_trail_of_another_workspace_is_recorded_as_that_where_it_was_told(
    world: World, auth: Running, teller: UUID | None
) -> None:
    victim = uuid7()
    await world.publish(an_act(victim, actor_id=None), tenant_id=teller)

    [held] = await has_recorded(auth.db, teller or INSTALLATION, 1)

    assert (held.entry.act, held.entry.result) == ("act.misplaced", "REFUSED")
    assert (held.entry.target_kind, held.entry.target_id) == ("audit_trail", str(victim))
    assert held.entry.reason == "told as account.opened of account"
    assert await chain_of(auth.db, victim) == []
    assert await world.fetch("SELECT FROM auth.dead_letter") == []


async def test_what_nobody_can_read_holds_up_no_trail(world: World, auth: Running) -> None:
    here = uuid7()
    headers = [("ce_type", SecurityActed.type().encode())]
    await world.send_raw(SecurityActed.topic, str(here).encode(), b"{}", headers)
    await world.send_raw(SecurityActed.topic, str(here).encode(), b"{}")

    await tell(world, an_act(here, 1))
    await has_recorded(auth.db, here, 1)
    await tell(world, an_act(here, 2))

    assert [one.entry.target_id for one in await has_recorded(auth.db, here, 2)] == ["number 1", "number 2"]
    assert [row[0] for row in await world.fetch("SELECT state FROM auth.dead_letter")] == ["dead", "dead"]


async def test_auth_tells_its_own_acts_as_others_do(
    client: AsyncClient, world: World, ada: Person, auth: Running
) -> None:
    here = UUID(ada.workspace_id)
    await refresh(client, ada.refresh_token)
    await log_in(client, password="not the password")
    await refresh_elsewhere(client, ada.refresh_token)
    elsewhere = (await log_in(client)).json()["refresh_token"]
    await client.post("/v1/auth/logout", json={"refresh_token": elsewhere})

    links = await has_recorded(auth.db, here, 6)

    assert [(one.entry.act, one.entry.result) for one in links] == [
        ("user.registered", "SUCCEEDED"),
        ("session.opened", "SUCCEEDED"),
        ("session.opened", "REFUSED"),
        ("session.revoked", "SUCCEEDED"),
        ("session.opened", "SUCCEEDED"),
        ("session.closed", "SUCCEEDED"),
    ]
    assert {one.entry.source for one in links} == {"auth"}
    assert {one.entry.address for one in links} == {"127.0.0.1"}
    by_a_thief = [one.entry.act for one in links if one.entry.device == "somebody else's"]
    assert by_a_thief == ["session.revoked"]
    assert sum("python-httpx2" in (one.entry.device or "") for one in links) == 5
    told = [envelope for envelope in world.published(SecurityActed) if envelope.event.workspace_id == here]
    assert {(envelope.sequence, envelope.tenant_id) for envelope in told} == {(1, here)}


async def test_a_password_change_by_somebody_who_does_not_know_the_old_one_is_in_the_trail(
    client: AsyncClient, auth: Running, ada: Person
) -> None:
    wanted = {"current_password": "not the password", "new_password": "an even longer staple for batteries"}

    answer = await client.put("/v1/me/password", json=wanted, headers=ada.bearer)

    told = (await has_recorded(auth.db, UUID(ada.workspace_id), 3))[-1].entry
    assert answer.status_code == 422
    assert (told.act, told.result, told.reason) == ("password.changed", "REFUSED", "wrong password")
    assert (told.actor_id, told.target_id) == (UUID(ada.user_id), ada.user_id)


async def test_a_device_that_is_sent_away_is_in_the_trail(client: AsyncClient, auth: Running, ada: Person) -> None:
    await (await a_device(client)).decided(ada, "DENY")

    told = (await has_recorded(auth.db, UUID(ada.workspace_id), 3))[-1].entry
    assert (told.act, told.actor_id, told.address) == ("device.denied", UUID(ada.user_id), "127.0.0.1")


async def test_a_login_with_an_address_that_nobody_has_is_in_the_installations_trail_without_it(
    client: AsyncClient, auth: Running
) -> None:
    await log_in(client, email="hunter2@example.com")

    [held] = await has_recorded(auth.db, INSTALLATION, 1)
    assert (held.entry.act, held.entry.result, held.entry.actor_id) == ("session.opened", "REFUSED", None)
    assert "hunter2" not in str(held)


async def test_what_an_operator_does_is_recorded(ada: Person, world: World, auth: Running) -> None:
    async with auth.db.work() as tx:
        await grant_role(tx, "ada@example.com", PlatformRole.ADMIN)
        await rotate_signing_key(tx, issuing(world))

    raised, revoked = [link.entry for link in (await has_recorded(auth.db, UUID(ada.workspace_id), 4))[2:]]
    [rotated] = await has_recorded(auth.db, INSTALLATION, 1)
    assert (raised.act, raised.actor_kind, raised.target_id) == ("role.changed", "SYSTEM", ada.user_id)
    assert (revoked.act, revoked.actor_kind) == ("session.revoked", "SYSTEM")
    assert rotated.entry.act == "signing_key.rotated"


async def test_an_act_whose_transaction_failed_is_not_told(client: AsyncClient, ada: Person, world: World) -> None:
    await client.post("/v1/auth/register", json={"email": "ada@example.com", "password": "another long password"})

    await world.settled("auth")
    assert len([told for told in world.published(SecurityActed) if told.event.act == "user.registered"]) == 1


async def test_the_head_of_a_chain_that_grew_is_signed_and_told_and_of_one_that_did_not_is_not(
    client: AsyncClient, world: World, auth: Running
) -> None:
    here, elsewhere = uuid7(), uuid7()
    await tell(world, *(an_act(here, n) for n in range(3)))
    first = await head_at(world, here, 3)
    await tell(world, an_act(elsewhere), an_act(here))
    await head_at(world, elsewhere, 1)
    last = await head_at(world, here, 4)

    links = await chain_of(auth.db, here)
    keys = KeySet.import_key_set((await client.get("/.well-known/jwks.json")).json())
    assert replace(open_head(first.signature, keys), previous=None) == Head(here, 3, links[2].hash)
    assert open_head(last.signature, keys).previous == last.previous_sequence == 3
    assert (first.hash, last.hash) == (links[2].hash.hex(), links[3].hash.hex())
    told = [head for head in world.published(AuditHeadPublished) if head.event.workspace_id == elsewhere]
    assert len(told) == 1


async def test_a_signed_head_is_no_access_token(client: AsyncClient, world: World, auth: Running) -> None:
    here = uuid7()
    await tell(world, an_act(here))
    head = await head_at(world, here, 1)

    assert (await client.get("/v1/me", headers=bearer(head.signature))).status_code == 401


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"act": "account.opened"}, [8, 6, 4, 2]),
        ({"actor_id": str(UUID(int=9))}, [3]),
        ({"target_kind": "order"}, [7, 5, 1]),
        ({"target_kind": "order", "target_id": "number 5"}, [5]),
        ({"result": "REFUSED"}, [3]),
        ({"from": "2026-01-31T12:06:00Z"}, [8, 7, 6]),
        ({"from": "2026-01-31T12:02:00Z", "to": "2026-01-31T12:04:00Z"}, [3, 2]),
        ({"act": "account.closed"}, []),
    ],
)
async def test_a_trail_is_searched(
    client: AsyncClient, world: World, auth: Running, query: dict[str, str], found: list[int]
) -> None:
    here = uuid7()
    acts: dict[int, dict[str, object]] = {n: {"act": "order.placed", "target_kind": "order"} for n in (1, 5, 7)}
    acts[3] = {"act": "key.used", "target_kind": "key", "actor_id": UUID(int=9), "result": "REFUSED"}
    await tell(world, *(an_act(here, n, **acts.get(n, {})) for n in range(1, 9)))
    await has_recorded(auth.db, here, 8)

    answer = await client.get("/v1/audit", params=query, headers=await owner(client, world, here))

    assert [item["sequence"] for item in answer.json()["items"]] == found


async def test_pages_show_every_entry_once_while_the_trail_grows(
    client: AsyncClient, world: World, auth: Running
) -> None:
    here, seen = uuid7(), list[int]()
    await tell(world, *(an_act(here, n) for n in range(7)))
    await has_recorded(auth.db, here, 7)
    headers, wanted = await owner(client, world, here), {"limit": "3"}
    while "cursor" not in wanted or wanted["cursor"]:
        answer = (await client.get("/v1/audit", params=wanted, headers=headers)).json()
        seen += [item["sequence"] for item in answer["items"]]
        wanted["cursor"] = answer["next_cursor"]
        await tell(world, an_act(here))

    assert seen == [7, 6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("act", "Account Opened"), ("act", "account"), ("actor_id", "me"), ("target_kind", "a b"), ("target_id", "a\0"),
        ("target_id", "x" * 301), ("result", "MAYBE"), ("from", "yesterday"), ("to", "1738324800"), ("cursor", "x"),
    ],
)  # fmt: skip
async def test_a_bad_filter_is_named(client: AsyncClient, world: World, name: str, value: str) -> None:
    answer = await client.get("/v1/audit", params={name: value}, headers=await owner(client, world, uuid7()))

    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [name]


async def test_the_order_of_a_trail_is_that_of_its_records_whatever_their_times(world: World, auth: Running) -> None:
    here = uuid7()
    late = an_act(here, 1)
    early = late.model_copy(update={"occurred_at": late.occurred_at - timedelta(days=1)})

    await tell(world, late, early)

    links = await has_recorded(auth.db, here, 2)
    assert [one.entry.occurred_at for one in links] == [late.occurred_at, early.occurred_at]
