"""In which order are the events of a batch handled? In waves: only the order within a key matters."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Sequence

from libs.schema.event import DomainEvent, Envelope

Wave = list[Envelope[DomainEvent]]
Key = tuple[str, Hashable]
"""A topic and the value of the event's key field."""


def waves(envelopes: Sequence[Envelope[DomainEvent]]) -> Iterator[tuple[type[DomainEvent], Wave]]:
    """Cut a batch into few groups of one type each, such that every key's events keep their order.

    Each round takes, from the front of every key's queue, all events of the type that waits at the oldest front.
    """
    kinds = {type(envelope.event) for envelope in envelopes}
    if len(kinds) == 1:
        yield kinds.pop(), list(envelopes)
        return
    queues: dict[Key, deque[Envelope[DomainEvent]]] = {}
    for envelope in envelopes:
        event = envelope.event
        queues.setdefault((event.topic, getattr(event, event.key)), deque()).append(envelope)
    while queues:
        kind = type(next(iter(queues.values()))[0].event)
        yield kind, _take(queues, kind)
        queues = {key: queue for key, queue in queues.items() if queue}


def _take(queues: dict[Key, deque[Envelope[DomainEvent]]], kind: type[DomainEvent]) -> Wave:
    wave: Wave = []
    for queue in queues.values():
        while queue and type(queue[0].event) is kind:
            wave.append(queue.popleft())
    return wave
