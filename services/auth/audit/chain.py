r"""What is a link of the chain, and where is a chain broken?

    hash(n) = SHA-256("fillstream audit v1\n" + hash(n - 1) + canonical JSON of entry n)
    hash(0) = SHA-256("fillstream audit v1\n" + the workspace's id as 16 bytes)

An entry names its workspace and its number, so that none fits into another place. `deploy/audit/verify.py` says the same
in words of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.auth.audit.canonical import Json, text

VERSION = b"fillstream audit v1\n"


class Entry(NamedTuple):
    """An act in its place; the names are those of its JSON, in their canonical order."""

    act: str
    actor_id: UUID | None
    actor_kind: str
    address: str | None
    correlation_id: UUID
    device: str | None
    event_id: UUID
    occurred_at: datetime
    on_behalf_of: UUID | None
    reason: str | None
    recorded_at: datetime
    result: str
    sequence: int
    source: str
    target_id: str
    target_kind: str
    workspace_id: UUID


class Link(NamedTuple):
    """An entry and what it is held by."""

    entry: Entry
    previous_hash: bytes
    hash: bytes


def document(entry: Entry) -> dict[str, Json]:
    """The entry in JSON's words."""
    return {
        "act": entry.act,
        "actor_id": None if entry.actor_id is None else str(entry.actor_id),
        "actor_kind": entry.actor_kind,
        "address": entry.address,
        "correlation_id": str(entry.correlation_id),
        "device": entry.device,
        "event_id": str(entry.event_id),
        "occurred_at": moment(entry.occurred_at),
        "on_behalf_of": None if entry.on_behalf_of is None else str(entry.on_behalf_of),
        "reason": entry.reason,
        "recorded_at": moment(entry.recorded_at),
        "result": entry.result,
        "sequence": entry.sequence,
        "source": entry.source,
        "target_id": entry.target_id,
        "target_kind": entry.target_kind,
        "workspace_id": str(entry.workspace_id),
    }


def written(entry: Entry) -> bytes:
    """The canonical JSON of `document(entry)`, by hand: a trail has millions of entries, and this is most of the work."""
    return (
        f'{{"act":{text(entry.act)},"actor_id":{_id(entry.actor_id)},"actor_kind":{text(entry.actor_kind)},'
        f'"address":{text(entry.address)},"correlation_id":"{entry.correlation_id}","device":{text(entry.device)},'
        f'"event_id":"{entry.event_id}","occurred_at":"{moment(entry.occurred_at)}",'
        f'"on_behalf_of":{_id(entry.on_behalf_of)},"reason":{text(entry.reason)},'
        f'"recorded_at":"{moment(entry.recorded_at)}","result":{text(entry.result)},"sequence":{entry.sequence},'
        f'"source":{text(entry.source)},"target_id":{text(entry.target_id)},"target_kind":{text(entry.target_kind)},'
        f'"workspace_id":"{entry.workspace_id}"}}'
    ).encode()


def _id(id_: UUID | None) -> str:
    return "null" if id_ is None else f'"{id_}"'


def moment(at: datetime) -> str:
    """A moment in UTC with six decimals: `2026-01-31T15:30:00.000000Z`."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def genesis(workspace_id: UUID) -> bytes:
    """What the first entry of a workspace follows."""
    return hashlib.sha256(VERSION + workspace_id.bytes).digest()


def hash_of(previous_hash: bytes, entry: Entry) -> bytes:
    """The hash of an entry that follows another one. Its moments have to be in UTC."""
    return hashlib.sha256(VERSION + previous_hash + written(entry)).digest()


def link(previous_hash: bytes, entry: Entry) -> Link:
    """The entry, held by what it follows."""
    return Link(entry, previous_hash, hash_of(previous_hash, entry))


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that is not as it was, and why."""

    sequence: int
    why: str


@dataclass
class Walk:
    """Goes along a workspace's chain from its first entry. `marks` are hashes that entries are known to have had."""

    workspace_id: UUID
    marks: dict[int, bytes]
    sequence: int = 0
    hash: bytes = b""

    def __post_init__(self) -> None:
        """A chain begins with its workspace."""
        self.hash = genesis(self.workspace_id)

    def along(self, links: Iterable[Link]) -> Broken | None:
        """Take the next links, in the order in which they are kept; the first that does not hold, or None."""
        for one in links:
            why = self._fault(one)
            if why is not None:
                return Broken(self.sequence + 1, why)
            self.sequence, self.hash = one.entry.sequence, one.hash
        return None

    def end(self) -> Broken | None:
        """What is missing where the chain ends, or None."""
        last = max(self.marks, default=0)
        if last > self.sequence:
            return Broken(self.sequence + 1, f"is missing: the chain was cut, it had {last} entries")
        return None

    def _fault(self, one: Link) -> str | None:
        expected = self.sequence + 1
        if one.entry.sequence != expected:
            return f"is missing or out of order: entry {one.entry.sequence} is in its place"
        if one.entry.workspace_id != self.workspace_id:
            return f"belongs to the workspace {one.entry.workspace_id}"
        if one.previous_hash != self.hash:
            return "does not follow from the entry before it"
        if one.hash != hash_of(self.hash, one.entry):
            return "was changed: its hash is another one"
        if self.marks.get(expected, one.hash) != one.hash:
            return "was written anew: it had another hash when the chain's head was told"
        return None
