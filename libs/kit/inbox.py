"""How is a batch of records handled exactly once? Inbox, handlers and effects in one transaction."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from libs.kit.codec import Undecodable, UnknownType, decode
from libs.kit.db import Database, Tx
from libs.kit.dead_letters import Burial, Key, Record, any_dead, bury, key_of, parked_keys, place_of, resolved_places
from libs.kit.handlers import Handler, Handlers, preparations_of, unordered_topics
from libs.kit.metrics import EVENT_SECONDS, EVENTS_CONSUMED
from libs.kit.waves import waves
from libs.schema.event import DomainEvent, Envelope


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record and what became of reading it."""

    record: Record
    content: Envelope[DomainEvent] | Undecodable | UnknownType


def read(record: Record) -> Arrival:
    """Decode a record on its own, so that one that can't be read spoils no other."""
    try:
        return Arrival(record, decode(record.headers, record.value))
    except (Undecodable, UnknownType) as problem:
        return Arrival(record, problem)


class Inbox:
    """Handles batches for one context. Raises what a handler raises, having changed nothing."""

    def __init__(self, db: Database, handlers: Handlers) -> None:
        """Raises ValueError when two handlers want the same event: one of them would never be called."""
        self.db = db
        self._handlers: dict[type[DomainEvent], Handler[DomainEvent]] = {h.event: h for h in handlers}
        self._families = frozenset(event.family() for event in self._handlers)
        self._preparations = preparations_of(handlers)
        self._unordered = unordered_topics(handlers)
        if len(self._handlers) != len(handlers):
            msg = f"{db.schema} has two handlers for one event"
            raise ValueError(msg)

    async def take(self, arrivals: Sequence[Arrival]) -> None:
        """Handle what is new, bury what can't be read, park what waits behind a dead letter; all in one transaction."""
        wanted = [arrival for arrival in arrivals if self._wants(arrival)]
        handled, burials = 0, list[Burial]()
        if wanted:
            async with self.db.work() as tx:
                ready, burials = await self._sort(tx, wanted)
                await bury(tx, burials)
                handled = await self._handle(tx, ready)
        # Only now: what is rolled back is taken again, and would count twice.
        unknown = sum(isinstance(arrival.content, UnknownType) for arrival in arrivals)
        dead = sum(burial.state == "dead" for burial in burials)
        self._count("unknown", unknown)
        self._count("ignored", len(arrivals) - len(wanted) - unknown)
        self._count("dead", dead)
        self._count("parked", len(burials) - dead)
        self._count("handled", handled)
        self._count("duplicate", len(wanted) - len(burials) - handled)

    async def take_again(self, tx: Tx, envelope: Envelope[DomainEvent]) -> None:
        """Handle one event out of the dead letters, in the caller's transaction."""
        await self._handle(tx, [envelope])

    async def pass_over(self, tx: Tx, envelope: Envelope[DomainEvent]) -> None:
        """Let an event count as handled, so that it has no effect should it be delivered again."""
        await self._register(tx, [envelope])

    async def give_up(self, arrival: Arrival, error: str, attempts: int) -> None:
        """Bury an event that keeps failing."""
        async with self.db.work() as tx:
            await bury(tx, [Burial(arrival.record, _event_id(arrival), "dead", error, attempts)])
        self._count("dead", 1)

    def handles(self, envelope: Envelope[DomainEvent]) -> bool:
        """Whether the context listens to events of this kind."""
        return type(envelope.event) in self._handlers

    def _wants(self, arrival: Arrival) -> bool:
        if isinstance(arrival.content, UnknownType):
            return False
        if isinstance(arrival.content, Undecodable):
            # Nobody here would have listened to it: its key need not wait.
            return arrival.content.family is None or arrival.content.family in self._families
        return self.handles(arrival.content)

    def _key(self, record: Record) -> Key | None:
        """What the record's order depends on; None where it depends on nothing."""
        # The topic, for what can't be read tells nothing else; an installation's prefix comes before it.
        return None if record.topic.endswith(self._unordered) else key_of(record)

    async def _sort(self, tx: Tx, arrivals: Sequence[Arrival]) -> tuple[list[Envelope[DomainEvent]], list[Burial]]:
        """Tell what can be handled from what is dead or waits behind the dead, in the order of arrival."""
        parked = await self._parked(tx, arrivals)
        unreadable = [arrival.record for arrival in arrivals if isinstance(arrival.content, Undecodable)]
        resolved = await resolved_places(tx, unreadable) if unreadable else set()
        ready: list[Envelope[DomainEvent]] = []
        burials: list[Burial] = []
        for arrival in arrivals:
            if resolved and place_of(arrival.record) in resolved:
                continue
            key = self._key(arrival.record)
            if parked and key in parked:
                burials.append(Burial(arrival.record, _event_id(arrival), "parked", "waits behind a dead letter", 0))
            elif isinstance(arrival.content, Undecodable):
                burials.append(Burial(arrival.record, None, "dead", arrival.content.reason, 1))
                if key is not None:
                    parked.add(key)
            else:
                ready.append(cast("Envelope[DomainEvent]", arrival.content))
        return ready, await self._without_handled(tx, burials)

    async def _parked(self, tx: Tx, arrivals: Iterable[Arrival]) -> set[Key]:
        # Nearly always there are none, and then a thousand keys need not be sent.
        if not await any_dead(tx):
            return set()
        keys = {key for arrival in arrivals if (key := self._key(arrival.record)) is not None}
        return await parked_keys(tx, keys) if keys else set()

    async def _without_handled(self, tx: Tx, burials: list[Burial]) -> list[Burial]:
        """A redelivered event that was handled before its key was parked needs no grave."""
        ids = [burial.event_id for burial in burials if burial.event_id is not None]
        if not ids:
            return burials
        handled = {row[0] for row in await tx.fetch("SELECT event_id FROM inbox WHERE event_id = ANY($1::uuid[])", ids)}
        return [burial for burial in burials if burial.event_id not in handled]

    async def _handle(self, tx: Tx, envelopes: Sequence[Envelope[DomainEvent]]) -> int:
        """Handle those that are new, and tell how many there were."""
        new = await self._register(tx, envelopes)
        await self._prepare(tx, new)
        for kind, wave in waves(new):
            started = time.perf_counter()
            await self._handlers[kind](tx, wave)
            EVENT_SECONDS.labels(self.db.schema, kind.__name__).observe(time.perf_counter() - started)
        return len(new)

    async def _prepare(self, tx: Tx, envelopes: Sequence[Envelope[DomainEvent]]) -> None:
        """Take locks in one order for all batches: in that of their events, two batches could wait for each other."""
        for before in self._preparations:
            concerned = [one for one in envelopes if before in self._handlers[type(one.event)].before]
            if concerned:
                await before(tx, concerned)

    async def _register(self, tx: Tx, envelopes: Sequence[Envelope[DomainEvent]]) -> list[Envelope[DomainEvent]]:
        if not envelopes:
            return []
        unique = {envelope.id: envelope for envelope in envelopes}
        rows = await tx.fetch(
            "INSERT INTO inbox (event_id, type) SELECT * FROM unnest($1::uuid[], $2::text[]) "
            "ON CONFLICT DO NOTHING RETURNING event_id",
            list(unique),
            [envelope.event.type() for envelope in unique.values()],
        )
        new = {row[0] for row in rows}
        return [envelope for id_, envelope in unique.items() if id_ in new]

    def _count(self, outcome: str, count: int) -> None:
        if count:
            EVENTS_CONSUMED.labels(self.db.schema, outcome).inc(count)


def _event_id(arrival: Arrival) -> UUID | None:
    return arrival.content.id if isinstance(arrival.content, Envelope) else None
