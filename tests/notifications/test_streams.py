"""Does a stream, under a real server, send everything once and in order, and end when it should?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import pytest
from httpx2 import AsyncClient, Response

from libs.kit.db import utc_now
from libs.kit.ids import uuid7
from libs.schema.auth import AccessRevoked
from tests.issuer import ALL_SCOPES
from tests.notifications.builders import a_denial, a_fill, a_signal, listening, served
from tests.world import PATIENCE_SECONDS, Running, World, eventually

WORKSPACE = uuid7()
# So long that only NOTIFY can be what woke a stream in time.
NEVER = 600.0


@pytest.fixture
async def running(world: World) -> AsyncIterator[Running]:
    async with world.running("notifications", notifications_poll_seconds=NEVER) as running:
        yield running


@pytest.fixture
async def url(running: Running) -> AsyncIterator[str]:
    async with served(running) as url:
        yield url


@pytest.fixture
async def client(running: Running) -> AsyncIterator[AsyncClient]:
    async with client_of(running) as client:
        yield client


def bearer(running: Running, **claims: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {running.issuer.token(WORKSPACE, scopes=ALL_SCOPES, **claims)}"}


def client_of(running: Running) -> AsyncClient:
    return AsyncClient(headers=bearer(running), timeout=PATIENCE_SECONDS, trust_env=False)


async def anew(headers: Mapping[str, str], url: str) -> Response:
    """The answer to who comes again with the token of a stream that ended."""
    async with AsyncClient(headers=headers, trust_env=False, timeout=PATIENCE_SECONDS) as client:
        return await client.get(f"{url}/v1/notifications/stream")


def a_revocation(user: UUID, session: UUID) -> AccessRevoked:
    now = utc_now()
    return AccessRevoked(occurred_at=now, user_id=user, session_id=session, workspace_id=None, issued_before=now)


def open_streams(running: Running) -> int:
    return len(running.service.http.state.streams._all())  # noqa: SLF001


async def test_news_of_the_own_workspace_arrive_as_they_come(world: World, url: str, client: AsyncClient) -> None:
    await world.publish(a_denial(), tenant_id=WORKSPACE)
    await world.settled("notifications")
    async with listening(client, url) as stream:
        await world.publish(a_fill(), tenant_id=uuid7())
        await world.publish(a_fill(), tenant_id=WORKSPACE)
        first = await stream.notification()
        await world.publish(a_signal(), tenant_id=WORKSPACE)
        second = await stream.notification()

    assert [(id_, item["title"]) for id_, item in (first, second)] == [("2", "Bought 100 AAPL"), ("3", "Buy 100 AAPL")]
    listed = (await client.get(f"{url}/v1/notifications")).json()["items"]
    assert listed[:2] == [second[1], first[1]]


async def test_a_stream_resumes_after_the_last_event_without_loss_or_repetition(
    world: World, url: str, client: AsyncClient
) -> None:
    async with listening(client, url) as stream:
        await world.publish(a_fill(last_quantity="1"), tenant_id=WORKSPACE)
        last, _ = await stream.notification()
    account = uuid7()
    rows = [
        world.envelope(a_fill(account_id=account, last_quantity=str(n)), tenant_id=WORKSPACE) for n in range(2, 252)
    ]
    await world.send(*rows)
    await world.settled("notifications")

    async with listening(client, url, last_event_id=last) as stream:
        seen = [(await stream.notification())[1]["metadata"]["quantity"] for _ in rows]
        await world.publish(a_fill(last_quantity="252"), tenant_id=WORKSPACE)
        newest = (await stream.notification())[1]

    assert seen == [str(n) for n in range(2, 252)]
    assert newest["metadata"]["quantity"] == "252"


async def test_a_first_request_may_begin_where_the_list_ended(world: World, url: str, client: AsyncClient) -> None:
    await world.publish(a_denial(), tenant_id=WORKSPACE)
    await world.settled("notifications")
    newest = (await client.get(f"{url}/v1/notifications")).json()["items"][0]["position"]
    await world.publish(a_signal(), tenant_id=WORKSPACE)
    await world.settled("notifications")

    async with listening(client, url, after=str(newest)) as stream:
        assert (await stream.notification())[1]["title"] == "Buy 100 AAPL"


async def test_what_the_client_has_seen_last_wins_over_where_it_once_began(
    world: World, url: str, client: AsyncClient
) -> None:
    account = uuid7()
    rows = [world.envelope(a_fill(account_id=account, last_quantity=str(n)), tenant_id=WORKSPACE) for n in range(1, 6)]
    await world.send(*rows)
    await world.settled("notifications")

    async with listening(client, url, last_event_id="3", after="1") as stream:
        seen = [(await stream.notification())[0] for _ in range(2)]
        await world.publish(a_fill(account_id=account, last_quantity="6"), tenant_id=WORKSPACE)
        following = (await stream.notification())[0]

    assert (seen, following) == (["4", "5"], "6")


async def test_a_position_that_is_not_reached_yet_hides_nothing(world: World, url: str, client: AsyncClient) -> None:
    async with listening(client, url, last_event_id="1000") as stream:
        await world.publish(a_signal(), tenant_id=WORKSPACE)
        assert (await stream.notification())[0] == "1"


async def test_what_another_replica_consumed_arrives_here(world: World, url: str, client: AsyncClient) -> None:
    """The second replica shares the consumer group; its transactions wake the streams of the first."""
    async with (
        world.running("notifications") as second,
        served(second) as other_url,
        listening(client, url) as here,
        listening(client, other_url) as there,
    ):
        # Accounts spread over the partitions, so that both replicas get some.
        for _ in range(20):
            await world.publish(a_fill(account_id=uuid7()), tenant_id=WORKSPACE)
        seen_here = [(await here.notification())[0] for _ in range(20)]
        seen_there = [(await there.notification())[0] for _ in range(20)]

    assert seen_here == seen_there == [str(n) for n in range(1, 21)]


async def test_a_stream_works_without_being_woken(world: World, running: Running) -> None:
    """Polling is what it relies on: here nobody listens for NOTIFY."""
    async with world.running("notifications", notifications_poll_seconds=0.05) as deaf:
        listener = next(probe for probe in deaf.service.probes if probe.name == "streams").task
        assert listener is not None
        listener.cancel()
        async with served(deaf) as url, client_of(deaf) as client, listening(client, url) as stream:
            await world.publish(a_fill(), tenant_id=WORKSPACE)
            assert (await stream.notification())[0] == "1"


async def test_a_lost_listening_connection_is_made_anew(world: World, url: str, client: AsyncClient) -> None:
    listeners = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%told%'"
    async with listening(client, url) as stream:
        (before,) = await world.fetch(listeners)
        await world.fetch("SELECT pg_terminate_backend($1)", before["pid"])
        await world.publish(a_fill(), tenant_id=WORKSPACE)
        assert (await stream.notification())[0] == "1"

        async def anew() -> None:
            assert [row["pid"] for row in await world.fetch(listeners)] not in ([], [before["pid"]])

        await eventually(anew)
        await world.publish(a_signal(), tenant_id=WORKSPACE)
        assert (await stream.notification())[0] == "2"


async def test_an_idle_stream_is_kept_alive_by_comments(
    url: str, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FastAPI sends them every 15 s; its constant is importable so that tests need not wait so long.
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    async with listening(client, url) as stream:
        blocks = [await stream.block() for _ in range(3)]

    assert all(set(block) == {"comment"} for block in blocks)


async def test_a_client_that_goes_away_frees_its_place(running: Running, url: str, client: AsyncClient) -> None:
    async with listening(client, url):
        assert open_streams(running) == 1

    async def freed() -> None:
        assert open_streams(running) == 0
        assert running.service.http.state.streams._count == 0  # noqa: SLF001

    await eventually(freed)


async def test_streams_are_bounded_and_a_free_place_is_taken_again(world: World) -> None:
    async with (
        world.running("notifications", notifications_max_streams=1) as running,
        served(running) as url,
        client_of(running) as client,
    ):
        async with listening(client, url):
            refused = await client.get(f"{url}/v1/notifications/stream")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert refused.json()["type"] == "urn:fillstream:problem:too-many-streams"

        async def free_again() -> None:
            assert open_streams(running) == 0

        await eventually(free_again)
        async with listening(client, url):
            pass


async def test_a_stream_ends_after_its_time_so_that_the_token_is_checked_again(world: World) -> None:
    short = {"notifications_stream_seconds": 0.1, "notifications_poll_seconds": 0.05}
    async with (
        world.running("notifications", **short) as running,
        served(running) as url,
        client_of(running) as client,
        listening(client, url) as stream,
    ):
        with pytest.raises(EOFError):
            await asyncio.wait_for(stream.block(), PATIENCE_SECONDS)


async def test_a_stream_ends_when_its_session_is_revoked_and_others_of_the_person_go_on(
    world: World, running: Running, url: str
) -> None:
    user, lost, kept = uuid7(), uuid7(), uuid7()
    clients = [
        AsyncClient(headers=bearer(running, sub=str(user), sid=str(one)), timeout=PATIENCE_SECONDS, trust_env=False)
        for one in (lost, kept)
    ]
    async with clients[0], clients[1], listening(clients[0], url) as ending, listening(clients[1], url) as going_on:
        await world.publish(a_revocation(user, lost))
        with pytest.raises(EOFError):
            await asyncio.wait_for(ending.block(), PATIENCE_SECONDS)
        await world.publish(a_fill(), tenant_id=WORKSPACE)
        assert (await going_on.notification())[0] == "1"

    assert (await anew(clients[0].headers, url)).status_code == 401


async def test_a_stream_ends_when_its_token_expires(running: Running, url: str) -> None:
    expires_at = int(time.time()) + 60
    # The leeway that clocks get is 5 s: however late it is asked, this token is taken for a tenth of a second more.
    running.service.http.state.token_verifier.clock = lambda: expires_at + 4.9
    headers = bearer(running, exp=expires_at)
    async with (
        AsyncClient(headers=headers, timeout=PATIENCE_SECONDS, trust_env=False) as client,
        listening(client, url) as stream,
    ):
        with pytest.raises(EOFError):
            await asyncio.wait_for(stream.block(), PATIENCE_SECONDS)


async def test_shutdown_ends_streams_at_once_and_properly(running: Running, client: AsyncClient) -> None:
    begun = asyncio.Event()

    async def follow(url: str) -> str:
        async with listening(client, url) as stream:
            begun.set()
            # A connection that is cut instead of ended raises another error.
            with pytest.raises(EOFError):
                await stream.block()
            return "ended"

    async with served(running) as url:
        following = asyncio.create_task(follow(url))
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)

    assert await following == "ended"


async def test_a_process_that_stops_takes_no_new_stream(running: Running, url: str, client: AsyncClient) -> None:
    running.service.drain()

    assert (await client.get(f"{url}/v1/notifications/stream")).status_code == 503
