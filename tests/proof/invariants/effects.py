"""Did every event that was taken have its effect, once? Rows and events carry the id of the event that caused them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from libs.schema.catalogue import BY_TYPE
from libs.schema.event import DomainEvent
from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.tables import Table, of_contexts
from tests.proof.invariants.violation import Invariant

_NAMES_A_CAUSE = re.compile(r"(^|_)(event_id|caused_by|causation_id)$")
_OF_THE_ENVELOPE = frozenset({"tenant_id", "sequence"})
_BOOKKEEPING = frozenset({"created_at", "updated_at"})

FOLLOWERS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("billing", "auth.UserRegistered"): "billing.SubscriptionStarted",
        ("billing", "auth.WorkspaceCreated"): "billing.SubscriptionStarted",
        ("portfolio", "orders.OrderFilled"): "portfolio.PositionChanged",
    }
)
"""What a context always tells when it takes an event of a family. Rows that must follow are discovered."""

REPEATED: Mapping[str, str] = MappingProxyType(
    {"portfolio.PortfolioValued": "a late fill or close corrects every later valuation of its book"}
)
"""What one event may cause more than once for one aggregate, each time for another moment, and why."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A column that holds the events that made rows of its table."""

    table: Table
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def is_unique(self) -> bool:
        """Whether the schema says that an event makes one row at most."""
        return (self.column,) in self.table.uniques

    @property
    def identity(self) -> str:
        """What tells the rows of one event apart: for whom, and which part of the key."""
        named = [name for name in self.table.columns if name.endswith("_id") and self.table.is_uuid(name)]
        keyed = [name for name in self.table.primary_key if name != "id"]
        return ", ".join(f'"{name}"' for name in dict.fromkeys([self.column, *named, *keyed]))


async def causes(evidence: Evidence) -> list[Cause]:
    """The columns that are named after causes, or hold ids of events that their context took."""
    names = {context.name for context in evidence.contexts}
    found = []
    for table in of_contexts(evidence.tables):
        for column in table.columns if table.schema in names else ():
            if not table.is_uuid(column) or column in {"id", "tenant_id"}:
                continue
            held = f'SELECT EXISTS (SELECT FROM {table} row JOIN {table.schema}.inbox i ON i.event_id = row."{column}")'
            if _NAMES_A_CAUSE.search(column) or await evidence.database.fetchval(held):
                found.append(Cause(table, column))
    return found


async def every_effect_names_an_event_that_was_taken(evidence: Evidence) -> list[str]:
    """What caused a row or an event is in the inbox of its context."""
    found = [
        f"{event} is caused by {event.causation_id}, which {event.context} did not take"
        for event in evidence.told
        if event.causation_id is not None and event.causation_id not in evidence.taken[event.context]
    ]
    for cause in await causes(evidence):
        rows = await evidence.database.fetch(f'SELECT DISTINCT "{cause.column}" FROM {cause.table}')
        taken = evidence.taken[cause.table.schema]
        found += [
            f"{cause} names {id_}, which was not taken" for (id_,) in rows if id_ not in taken and id_ is not None
        ]
    return found


async def no_event_made_a_row_twice(evidence: Evidence) -> list[str]:
    """An event made one row at most for each account, strategy or moment that it concerns."""
    found = []
    for cause in await causes(evidence):
        rows = await evidence.database.fetch(
            f'SELECT "{cause.column}", count(*) FROM {cause.table} WHERE "{cause.column}" IS NOT NULL '
            f"GROUP BY {cause.identity} HAVING count(*) > 1"
        )
        found += [f"the event {id_} made {count} rows of {cause.table}" for id_, count in rows]
    return found


async def no_event_was_told_twice_for_one_cause(evidence: Evidence) -> list[str]:
    """An event is followed by one event of a type and aggregate at most, or by one for each moment where repeated."""
    counts = Counter(
        (
            event.causation_id, event.type, event.subject,
            event.occurred_at if event.type.rpartition(".v")[0] in REPEATED else None,
        )
        for event in evidence.by_id.values()
        if event.causation_id is not None
    )  # fmt: skip
    return [
        f"the event {cause} is followed by {count} {type_} of {subject}"
        for (cause, type_, subject, _), count in counts.items()
        if count > 1
    ]


async def every_taken_event_made_its_row(evidence: Evidence) -> list[str]:
    """Where an event makes one row at most, and others of its type made one, it made one too, unless that was erased."""
    found = []
    for cause in await causes(evidence):
        if cause.is_unique:
            made = {row[0] for row in await evidence.database.fetch(f'SELECT "{cause.column}" FROM {cause.table}')}
            erased = evidence.erased_from(cause.table.schema, cause.table.name)
            types = {evidence.by_id[id_].type for id_ in made if id_ in evidence.by_id}
            found += [
                f"{type_} {id_} was taken and made no row of {cause.table}"
                for id_, type_ in evidence.taken[cause.table.schema].items()
                if type_ in types and id_ not in made and id_ not in evidence.discarded(cause.table.schema)
                # That there is no such event is another invariant's.
                if id_ not in evidence.by_id or evidence.by_id[id_].tenant_id not in erased
            ]
    return found


async def every_taken_event_is_followed(evidence: Evidence) -> list[str]:
    """A registration is followed by a subscription, a fill by a position."""
    followed = {(event.context, event.causation_id, event.type.rpartition(".v")[0]) for event in evidence.told}
    return [
        f"{type_} {id_} was taken by {context} and not followed by a {follower}"
        for (context, family), follower in FOLLOWERS.items()
        for id_, type_ in evidence.taken.get(context, {}).items()
        if type_.rpartition(".v")[0] == family
        and (context, id_, follower) not in followed
        and id_ not in evidence.discarded(context)
    ]


async def every_copy_shows_what_was_told(evidence: Evidence) -> list[str]:
    """A table that repeats the fields of an event that its context takes has a row for each that was not erased."""
    found = []
    for table, event in _copies(evidence):
        sources = {told.context for told in evidence.told if told.type == event.type()}
        for source in sources:
            erased = list(evidence.erased_from(table.schema, table.name))
            rows = await evidence.database.fetch(_missing(table, source), event.type(), erased)
            found += [f"{table} does not show what {event.type()} {row[0]} told" for row in rows]
    return found


def _copies(evidence: Evidence) -> Iterator[tuple[Table, type[DomainEvent]]]:
    for table in of_contexts(evidence.tables):
        columns = table.columns.keys() - _BOOKKEEPING
        for type_ in sorted(evidence.listens.get(table.schema, ())):
            if table.primary_key and columns <= BY_TYPE[type_].model_fields.keys() | _OF_THE_ENVELOPE:
                yield table, BY_TYPE[type_]


def _missing(table: Table, source: str) -> str:
    """A query for the newest event of each row that is not there, or different."""
    columns = [name for name in table.columns if name not in _BOOKKEEPING]
    told = ", ".join(
        name if name in _OF_THE_ENVELOPE else f"(data->>'{name}')::{table.columns[name]} AS \"{name}\""
        for name in columns
    )
    key = ", ".join(f'"{name}"' for name in table.primary_key)
    # A context may look at bars of one length alone.
    kept = f"timeframe IN (SELECT DISTINCT timeframe FROM {table})" if table.has("timeframe") else "true"
    different = " OR ".join(f'newest."{name}" IS DISTINCT FROM kept."{name}"' for name in columns)
    return f"""
        WITH raw AS MATERIALIZED (
            SELECT event_id, tenant_id, sequence, data::jsonb AS data FROM {source}.event_log
            WHERE type = $1 AND (tenant_id = ANY($2::uuid[])) IS NOT TRUE
              AND event_id IN (SELECT event_id FROM {table.schema}.inbox) AND event_id NOT IN (
                SELECT event_id FROM {table.schema}.dead_letter WHERE state = 'discarded' AND event_id IS NOT NULL)
        ), told AS (
            SELECT event_id, sequence AS place, {told} FROM raw
        ), newest AS (
            SELECT DISTINCT ON ({key}) * FROM told WHERE {kept} ORDER BY {key}, place DESC
        )
        SELECT newest.event_id FROM newest LEFT JOIN {table} kept USING ({key}) WHERE {different}
    """


INVARIANTS = (
    Invariant(every_effect_names_an_event_that_was_taken),
    Invariant(no_event_made_a_row_twice),
    Invariant(no_event_was_told_twice_for_one_cause),
    Invariant(every_taken_event_made_its_row),
    Invariant(every_taken_event_is_followed),
    Invariant(every_copy_shows_what_was_told),
)
