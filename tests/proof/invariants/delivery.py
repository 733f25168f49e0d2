"""Did every event get everywhere, in its order, once?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from uuid import UUID

from pydantic import ValidationError

from libs.schema.catalogue import BY_TYPE, FAMILIES
from tests.proof.invariants.evidence import Evidence, Told
from tests.proof.invariants.topics import Record
from tests.proof.invariants.violation import Invariant


async def every_event_is_in_its_topic(evidence: Evidence) -> list[str]:
    """What a log or outbox holds is in its topic."""
    return [
        f"{event} of {event.context} is not in {event.topic}"
        for event in evidence.told
        if (record := evidence.first_records.get(event.id)) is None or record.topic != event.topic
    ]


async def every_event_is_told_once(evidence: Evidence) -> list[str]:
    """No event is in two logs, or in a log and an outbox."""
    counts = Counter(event.id for event in evidence.told)
    return [f"{evidence.by_id[id_]} is told {count} times" for id_, count in counts.items() if count > 1]


async def every_record_was_told(evidence: Evidence) -> list[str]:
    """A record that can be read is an event of a log or outbox."""
    return [f"{record} is in no log" for record in _untold(evidence) if _can_be_read(record)]


async def every_unreadable_record_is_buried(evidence: Evidence) -> list[str]:
    """A record that can't be read is among the dead letters of every context that would have handled it."""
    unreadable = [record for record in _untold(evidence) if not _is_foreign(record) and not _can_be_read(record)]
    found = []
    for context in evidence.contexts:
        families = {event.family() for event in context.listens_to()}
        buried = {letter.place for letter in evidence.letters[context.name]}
        found += [
            f"{record} is not among the dead letters of {context.name}"
            for record in unreadable
            if record.topic in context.topics()
            and (not record.family or record.family in families)
            and record.place not in buried
        ]
    return found


def _untold(evidence: Evidence) -> list[Record]:
    return [record for record in evidence.records if record.id not in evidence.by_id]


def _is_foreign(record: Record) -> bool:
    """Somebody else's, or a later release's: nobody here has to do anything about it."""
    return bool(record.type) and record.family not in FAMILIES


def _can_be_read(record: Record) -> bool:
    if record.id is None or record.type not in BY_TYPE:
        return False
    try:
        BY_TYPE[record.type].model_validate_json(record.value or b"")
    except ValidationError:
        return False
    return True


async def every_record_equals_its_event(evidence: Evidence) -> list[str]:
    """A record has the key, attributes and data of the event in the log."""
    return [
        f"{record} differs from the log in {', '.join(different)}"
        for record in evidence.records
        if record.id is not None
        and (event := evidence.by_id.get(record.id)) is not None
        and (different := list(_differences(record, event)))
    ]


def _differences(record: Record, event: Told) -> Iterator[str]:
    if record.key != event.key.encode():
        yield "key"
    if record.source != event.context:
        yield "source"
    for name in ("type", "tenant_id", "subject", "sequence", "occurred_at", "causation_id", "digest"):
        if getattr(record, name) != getattr(event, name):
            yield name


async def records_keep_the_order_of_their_aggregate(evidence: Evidence) -> list[str]:
    """Without duplicates, the records of an aggregate grow by their sequence in their partition."""
    latest: dict[tuple[str, int, UUID | None], int] = {}
    found = []
    for record in evidence.first_records.values():
        line = (record.topic, record.partition, record.subject)
        if latest.get(line, 0) >= record.sequence:
            found.append(f"{record}, number {record.sequence} of {record.subject}, comes after number {latest[line]}")
        latest[line] = max(latest.get(line, 0), record.sequence)
    return found


async def a_key_keeps_to_one_partition(evidence: Evidence) -> list[str]:
    """All records of one key are in one partition of their topic."""
    partitions: defaultdict[tuple[str, bytes | None], set[int]] = defaultdict(set)
    for record in evidence.records:
        if record.id in evidence.by_id:
            partitions[record.topic, record.key].add(record.partition)
    return [
        f"records of {topic} with the key {key!r} are in the partitions {sorted(where)}"
        for (topic, key), where in partitions.items()
        if len(where) > 1
    ]


async def sequences_have_no_gaps(evidence: Evidence) -> list[str]:
    """The events of an aggregate are numbered from 1 on without gaps or repetitions."""
    found = []
    for (context, subject), events in evidence.of_subject.items():
        # An event that is told twice is another invariant's.
        sequences = [event.sequence for event in {event.id: event for event in events}.values()]
        if sequences != list(range(1, len(sequences) + 1)):
            missing = sorted(set(range(1, sequences[-1] + 1)) - set(sequences))
            repeated = [number for number, count in Counter(sequences).items() if count > 1]
            found.append(f"events of {subject} in {context}: missing {missing}, repeated {repeated}")
    return found


async def every_subscribed_event_was_taken(evidence: Evidence) -> list[str]:
    """What a context listens to is in its inbox, or among its dead letters."""
    found = []
    for context, types in evidence.listens.items():
        accounted = evidence.taken[context].keys() | _buried(evidence, context)
        found += [
            f"{event} was not taken by {context}"
            for event in evidence.by_id.values()
            if event.type in types and event.id not in accounted
        ]
    return found


def _buried(evidence: Evidence, context: str) -> set[UUID]:
    """The events that a context's dead letters speak for: one that was retried has to be in the inbox."""
    letters = [letter for letter in evidence.letters[context] if letter.state != "retried"]
    return {id_ for letter in letters if (id_ := evidence.event_of(letter)) is not None}


async def nothing_was_taken_that_nobody_told(evidence: Evidence) -> list[str]:
    """What is in an inbox is an event that the context listens to."""
    return [
        f"{context} took {type_} {id_}, which "
        + ("nobody told" if told is None else f"is a {told.type}" if told.type != type_ else "it has no handler for")
        for context, taken in evidence.taken.items()
        for id_, type_ in taken.items()
        if (told := evidence.by_id.get(id_)) is None or told.type != type_ or type_ not in evidence.listens[context]
    ]


async def no_event_is_both_handled_and_dead(evidence: Evidence) -> list[str]:
    """An open dead letter is of an event that was not handled."""
    return [
        f"the event {id_} was handled by {context} and is a {letter.state} letter at {'/'.join(map(str, letter.place))}"
        for context, letters in evidence.letters.items()
        for letter in letters
        if letter.state in {"dead", "parked"} and (id_ := evidence.event_of(letter)) in evidence.taken[context]
    ]


async def events_wait_behind_a_dead_letter(evidence: Evidence) -> list[str]:
    """What comes after an open dead letter of its key is parked, not handled."""
    found = []
    for context, letters in evidence.letters.items():
        dead: dict[tuple[str, int, bytes | None], int] = {}
        for letter in letters:
            if letter.state == "dead" and letter.key is not None:
                dead.setdefault((letter.topic, letter.partition, letter.key), letter.offset)
        found += [
            f"{record} was handled by {context} although the record at offset {first} of its key is dead"
            for record in (evidence.first_records.values() if dead else ())
            if (first := dead.get((record.topic, record.partition, record.key))) is not None
            and record.offset > first
            and record.id in evidence.taken[context]
        ]
    return found


INVARIANTS = (
    Invariant(every_event_is_in_its_topic),
    Invariant(every_event_is_told_once),
    Invariant(every_record_was_told),
    Invariant(every_record_equals_its_event),
    Invariant(records_keep_the_order_of_their_aggregate),
    Invariant(a_key_keeps_to_one_partition),
    Invariant(sequences_have_no_gaps),
    Invariant(every_subscribed_event_was_taken),
    Invariant(nothing_was_taken_that_nobody_told),
    Invariant(no_event_is_both_handled_and_dead),
    Invariant(events_wait_behind_a_dead_letter),
    Invariant(every_unreadable_record_is_buried),
)
