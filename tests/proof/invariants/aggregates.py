"""Do aggregates agree with their events? Versions count them, and no event is about nothing."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID

from tests.proof.invariants.evidence import Evidence, Told
from tests.proof.invariants.tables import of_contexts
from tests.proof.invariants.violation import Invariant


async def versions_count_the_events(evidence: Evidence) -> list[str]:
    """The version of a row is the sequence of its last event, 0 before the first."""
    found = []
    for table in of_contexts(evidence.tables):
        if table.is_uuid("id") and table.columns.get("version") == "bigint":
            for id_, version in await evidence.database.fetch(f"SELECT id, version FROM {table}"):
                events = evidence.of_subject.get((table.schema, id_))
                last = events[-1].sequence if events else 0
                if version != last:
                    found.append(f"{table} {id_} has version {version}, its last event is number {last}")
    return found


OCCURRENCES = frozenset(
    {
        "access.AccessRevoked",
        "audit.SecurityActed",
        "auth.PasswordResetRequested",
        "privacy.DataExportAnswered",
        "privacy.DataExportPart",
        "privacy.PersonalDataErased",
    }
)
"""What happens once and has no life after it: such an event is a stream of its own, and no row's."""


async def every_event_is_about_a_row(evidence: Evidence) -> list[str]:
    """The aggregate of an event is a row with a version in its context's schema, unless it was erased or never was.

    An event may be all that there is of something. How much an erasure leaves is another invariant's.
    """
    there: defaultdict[str, set[UUID]] = defaultdict(set)
    for table in of_contexts(evidence.tables):
        if table.is_uuid("id") and table.has("version"):
            there[table.schema] |= {row[0] for row in await evidence.database.fetch(f"SELECT id FROM {table}")}
    return [
        f"{events[0]}: {context} has no such aggregate"
        for (context, subject), events in evidence.of_subject.items()
        if subject not in there[context]
        and not (len(events) == 1 and _family(events[0]) in OCCURRENCES)
        and events[0].tenant_id not in evidence.erased_from(context)
    ]


def _family(event: Told) -> str:
    return event.type.rpartition(".v")[0]


INVARIANTS = (Invariant(versions_count_the_events), Invariant(every_event_is_about_a_row))
