"""In which order is a batch handled? Any that keeps every key's own order, in few groups of one type."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from libs.kit.ids import uuid7
from libs.kit.waves import waves
from libs.schema.event import Cause, DomainEvent, Envelope
from tests.kit.builders import MORNING


class _Event(DomainEvent, topic="one.v1", key="place"):
    place: str


class Dawned(_Event, topic="one.v1", key="place"):
    """One kind."""


class Dusked(_Event, topic="one.v1", key="place"):
    """Another kind of the same topic."""


class Rained(_Event, topic="two.v1", key="place"):
    """A kind of another topic, with the same keys."""


def enveloped(event: DomainEvent) -> Envelope[DomainEvent]:
    return Envelope(uuid7(), event, "x", uuid7(), 1, None, datetime.now(UTC), Cause(uuid7()))


batches = st.lists(
    st.builds(
        lambda kind, place: enveloped(kind(occurred_at=MORNING, place=place)),
        st.sampled_from([Dawned, Dusked, Rained]),
        st.sampled_from("abcd"),
    ),
    max_size=40,
)


@given(batches)
def test_every_event_is_handled_once_in_the_order_of_its_key(batch: list[Envelope[DomainEvent]]) -> None:
    handled = [envelope for _, wave in waves(batch) for envelope in wave]

    assert len(handled) == len(batch)
    by_key: dict[tuple[str, str], list[object]] = defaultdict(list)
    expected: dict[tuple[str, str], list[object]] = defaultdict(list)
    for envelope in handled:
        by_key[envelope.event.topic, envelope.event.partition_key()].append(envelope.id)
    for envelope in batch:
        expected[envelope.event.topic, envelope.event.partition_key()].append(envelope.id)
    assert by_key == expected


@given(batches)
def test_every_group_is_of_one_kind_and_none_is_empty(batch: list[Envelope[DomainEvent]]) -> None:
    for kind, wave in waves(batch):
        assert {type(envelope.event) for envelope in wave} == {kind}


def test_many_keys_with_the_same_life_need_as_many_groups_as_one() -> None:
    lives = [Dawned, Dusked, Dawned]
    batch = [enveloped(kind(occurred_at=MORNING, place=str(key))) for key in range(300) for kind in lives]

    assert [(kind, len(wave)) for kind, wave in waves(batch)] == [(Dawned, 300), (Dusked, 300), (Dawned, 300)]
