"""Is it at rest? Nothing waits to be sent or consumed, and every process says that it is ready."""

from __future__ import annotations

from collections.abc import Iterable

import httpx2
from aiokafka import TopicPartition

from libs.kit.kafka import admin, offsets_reader
from tests.proof.invariants.evidence import Evidence
from tests.proof.invariants.topics import partitions_of
from tests.proof.invariants.violation import Invariant, Violation
from tests.world import PATIENCE_SECONDS


async def outboxes_are_empty(evidence: Evidence) -> list[str]:
    """No event waits for the relay."""
    return [f"{event} is still in the outbox of {event.context}" for event in evidence.told if not event.sent]


async def consumers_have_no_lag(evidence: Evidence) -> list[str]:
    """Every consumer group has committed the end of every partition."""
    prefix = evidence.settings.kafka_prefix
    ends = await _ends(evidence)
    found = []
    async with admin(evidence.settings.kafka) as client:
        for context in evidence.contexts:
            topics = {prefix + topic for topic in context.topics()}
            committed = await client.list_consumer_group_offsets(prefix + context.name) if topics else {}
            for partition, end in ends.items():
                at = max(committed[partition].offset, 0) if partition in committed else 0
                if partition.topic in topics and at < end:
                    found.append(f"{context.name} is {end - at} behind in {partition.topic}/{partition.partition}")
    return found


async def _ends(evidence: Evidence) -> dict[TopicPartition, int]:
    topics = set[str]().union(*(context.topics() for context in evidence.contexts))
    partitions = await partitions_of(evidence.settings, topics)
    async with offsets_reader(evidence.settings.kafka) as client:
        ends: dict[TopicPartition, int] = await client.end_offsets(partitions)
    return ends


async def unready(urls: Iterable[str]) -> list[Violation]:
    """Which of the processes at these addresses does not say at `/readyz` that it is ready?"""
    found = []
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        for url in urls:
            why = await _why_unready(client, f"{url.rstrip('/')}/readyz")
            found += [] if why is None else [Violation("every_process_is_ready", f"{url}: {why}")]
    return found


async def _why_unready(client: httpx2.AsyncClient, url: str) -> str | None:
    try:
        answer = await client.get(url)
    except httpx2.HTTPError as error:
        return f"it does not answer: {error!r}"
    return None if answer.status_code == httpx2.codes.OK else f"it answers {answer.status_code}: {answer.text[:300]}"


INVARIANTS = (Invariant(outboxes_are_empty), Invariant(consumers_have_no_lag))
