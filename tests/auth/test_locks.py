"""What comes over the bus locks in one order, whatever came first, so that nobody has to be given up for another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from fillstream.contexts import load
from libs.kit.codec import headers_of
from libs.kit.ids import uuid7
from libs.kit.inbox import Arrival, Inbox, read
from libs.kit.outbox import OutboxRow
from libs.kit.personal_data.erased import erase_alone
from libs.schema.auth import ApiKeyCreated, MailTemplate, PasswordResetRequested
from services.auth.repository import users
from tests.auth.builders import Person, a_person, mails
from tests.world import Running, World, until_blocked

WHEN = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class ARecord:
    """A record as aiokafka gives it."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]] = field(repr=False)
    topic: str
    partition: int = 0
    offset: int = 0


def delivered(row: OutboxRow) -> Arrival:
    return read(ARecord(row.key.encode(), row.data.encode(), headers_of(row, "world"), row.topic))


def a_key_of(person: Person) -> ApiKeyCreated:
    return ApiKeyCreated(
        occurred_at=WHEN, key_id=uuid7(), user_id=UUID(person.user_id), workspace_id=UUID(person.workspace_id),
        prefix="fsk_", scopes=(), networks=(), expires_at=WHEN,
    )  # fmt: skip


@pytest.fixture
async def people(client: AsyncClient) -> tuple[Person, Person]:
    """Two, the one with the smaller id first."""
    return await a_person(client), await a_person(client, email="bob@example.com")


@pytest.fixture
def batch(world: World, people: tuple[Person, Person]) -> list[Arrival]:
    """The younger one forgot a password, and the older one got a key."""
    forgot = PasswordResetRequested(occurred_at=WHEN, email="bob@example.com")
    row = world.envelope(a_key_of(people[0]), tenant_id=UUID(people[0].workspace_id))
    return [delivered(world.envelope(forgot)), delivered(row)]


@pytest.fixture
def inbox(world: World, auth: Running) -> Inbox:
    return Inbox(auth.db, load("auth").handlers(world.settings_of("auth")))


async def is_free(world: World, person: Person) -> None:
    """Raises LockNotAvailableError when somebody holds the person."""
    await world.fetch('SELECT FROM auth."user" WHERE id = $1 FOR UPDATE NOWAIT', UUID(person.user_id))


async def test_a_batch_that_waits_for_an_erasure_holds_nobody_meanwhile(
    world: World, auth: Running, people: tuple[Person, Person], inbox: Inbox, batch: list[Arrival]
) -> None:
    async with auth.db.work() as erasing:
        await erase_alone(erasing)
        taking = asyncio.create_task(inbox.take(batch))
        await until_blocked(world.fetch)
        for one in people:
            await is_free(world, one)
    await taking
    await mails(world, MailTemplate.API_KEY_CREATED)


async def test_people_are_locked_in_the_order_of_their_ids_and_not_of_events(
    world: World, auth: Running, people: tuple[Person, Person], inbox: Inbox, batch: list[Arrival]
) -> None:
    older, younger = people
    async with auth.db.work() as other:
        await users.lock_user(other, UUID(older.user_id))
        taking = asyncio.create_task(inbox.take(batch))
        await until_blocked(world.fetch)
        await is_free(world, younger)
    await taking
    await mails(world, MailTemplate.RESET_PASSWORD)
    await mails(world, MailTemplate.API_KEY_CREATED)
