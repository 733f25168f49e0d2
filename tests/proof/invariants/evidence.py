"""What do the checks look at? Logs, inboxes and dead letters of all contexts, topics, and what the catalogue says."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

from fillstream.contexts import Context, load_all
from libs.kit.settings import Settings
from libs.schema.catalogue import TOPICS
from tests.proof.invariants.tables import Table, read_tables
from tests.proof.invariants.topics import Record, read_topics

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Told(NamedTuple):
    """An event as its context keeps it."""

    context: str
    id: UUID
    topic: str
    key: str
    type: str
    tenant_id: UUID | None
    subject: UUID
    sequence: int
    occurred_at: datetime
    causation_id: UUID | None
    digest: bytes
    """MD5 of the data, which may be large."""
    sent: bool
    """Whether the relay is done with it."""

    def __str__(self) -> str:
        return f"{self.type} {self.id} (number {self.sequence} of {self.subject})"


class Letter(NamedTuple):
    """A record that a context could not handle, or that waits behind one."""

    event_id: UUID | None
    topic: str
    partition: int
    offset: int
    key: bytes | None
    state: str

    @property
    def place(self) -> tuple[str, int, int]:
        """Topic, partition and offset of the record."""
        return self.topic, self.partition, self.offset


class Answer(NamedTuple):
    """What a context says that it did about somebody who was erased."""

    context: str
    workspaces: frozenset[UUID]
    """That were theirs alone, as the context remembers them."""
    erased: frozenset[str]
    """Tables."""
    kept: Mapping[str, int]
    """Rows of tables; those that nobody counts are not here."""


@dataclass(frozen=True)
class Evidence:
    """All that there is of an installation at rest, read once."""

    settings: Settings
    contexts: Sequence[Context]
    database: Connection
    """As the administrator, in one read-only transaction."""
    tables: Sequence[Table]
    told: Sequence[Told]
    """Every event of every context's log and outbox."""
    records: Sequence[Record]
    """Every record of the topics; those of a partition are in their order."""
    taken: Mapping[str, Mapping[UUID, str]]
    """The inbox of each context: the events' types by their ids."""
    letters: Mapping[str, Sequence[Letter]]
    """The dead letters of each context."""
    listens: Mapping[str, frozenset[str]]
    """The types of events that each context has handlers for."""
    answers: Sequence[Answer]
    """About those who were erased."""

    @cached_property
    def by_id(self) -> Mapping[UUID, Told]:
        """The events by their ids."""
        return {event.id: event for event in self.told}

    @cached_property
    def of_subject(self) -> Mapping[tuple[str, UUID], Sequence[Told]]:
        """The events of each context's aggregates, by their sequence."""
        found: defaultdict[tuple[str, UUID], list[Told]] = defaultdict(list)
        for event in sorted(self.told, key=lambda event: event.sequence):
            found[event.context, event.subject].append(event)
        return found

    @cached_property
    def first_records(self) -> Mapping[UUID, Record]:
        """Each event's first record: what comes after it is a producer's duplicate."""
        found: dict[UUID, Record] = {}
        for record in self.records:
            if record.id is not None:
                found.setdefault(record.id, record)
        return found

    @cached_property
    def by_place(self) -> Mapping[tuple[str, int, int], Record]:
        """The records by topic, partition and offset."""
        return {record.place: record for record in self.records}

    def event_of(self, letter: Letter) -> UUID | None:
        """The event of a dead letter; one that could not be read has no id, but a place."""
        record = self.by_place.get(letter.place)
        return letter.event_id or (None if record is None else record.id)

    def discarded(self, context: str) -> frozenset[UUID | None]:
        """The events that an operator let count as handled, so that they have no effect."""
        return frozenset(self.event_of(letter) for letter in self.letters[context] if letter.state == "discarded")

    def erased_from(self, context: str, table: str | None = None) -> frozenset[UUID]:
        """The workspaces of which a context says that it erased the rows of a table, or of any."""
        found = [one for one in self.answers if one.context == context and (table is None or table in one.erased)]
        return frozenset[UUID]().union(*(one.workspaces for one in found))

    def settings_of(self, context: str) -> Settings:
        """The settings that a context of this installation runs with."""
        [kind] = [known.settings for known in self.contexts if known.name == context]
        return self.settings if isinstance(self.settings, kind) else kind(**self.settings.model_dump())


@asynccontextmanager
async def gather(settings: Settings) -> AsyncIterator[Evidence]:
    """Read it all, as the installation's administrator."""
    contexts = load_all()
    names = [context.name for context in contexts]
    database = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        async with database.transaction(isolation="repeatable_read", readonly=True):
            told = [event for name in names for event in await _told(database, name)]
            yield Evidence(
                settings,
                contexts,
                database,
                tables=await read_tables(database),
                told=told,
                records=await read_topics(settings, TOPICS, {event.id for event in told}),
                taken={name: await _taken(database, name) for name in names},
                letters={name: await _letters(database, name, settings.kafka_prefix) for name in names},
                listens={c.name: frozenset(event.type() for event in c.listens_to()) for c in contexts},
                answers=[answer for name in names for answer in await _answers(database, name)],
            )
    finally:
        await database.close()


async def _told(database: Connection, schema: str) -> list[Told]:
    columns = "event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, causation_id, data"
    rows = await database.fetch(
        f"""
        SELECT $1::text, event_id, topic, key, type, tenant_id, subject, sequence, occurred_at, causation_id,
               decode(md5(data), 'hex'), sent
        FROM (SELECT {columns}, true AS sent FROM {schema}.event_log
              UNION ALL SELECT {columns}, false FROM {schema}.outbox) told
        """,
        schema,
    )
    return [Told(*row) for row in rows]


async def _taken(database: Connection, schema: str) -> dict[UUID, str]:
    return {row[0]: row[1] for row in await database.fetch(f"SELECT event_id, type FROM {schema}.inbox")}


async def _letters(database: Connection, schema: str, prefix: str) -> list[Letter]:
    rows = await database.fetch(
        f'SELECT event_id, topic, partition, "offset", key, state FROM {schema}.dead_letter ORDER BY 2, 3, 4'
    )
    return [Letter(row[0], row[1].removeprefix(prefix), *row[2:]) for row in rows]


async def _answers(database: Connection, schema: str) -> list[Answer]:
    rows = await database.fetch(
        f"""
        SELECT ARRAY(SELECT w.tenant_id FROM {schema}.erased_workspace w WHERE w.erasure_id = a.erasure_id), erased, kept
        FROM auth.erasure_answer a WHERE a.context = $1
        """,
        schema,
    )
    return [
        Answer(
            schema,
            frozenset(workspaces),
            frozenset(one["table"] for one in json.loads(erased)),
            {one["table"]: one["rows"] for one in json.loads(kept) if one["rows"] is not None},
        )
        for workspaces, erased, kept in rows
    ]
