"""What is an event? A past-tense fact, and the envelope it travels in (CloudEvents 1.0 attributes)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from libs.schema.values import UtcDatetime


class DomainEvent(BaseModel):
    """A fact that happened in one context and is told to all.

    A subclass names its topic, the field whose value is the partition key, and its version:
    `class OrderFilled(DomainEvent, topic="orders.v1", key="account_id")`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    key: ClassVar[str]
    version: ClassVar[int]
    _family: ClassVar[str]
    _type: ClassVar[str]

    occurred_at: UtcDatetime
    """When it happened in the world: a bar's close, a fill's execution. Logic uses this time alone."""

    def __init_subclass__(cls, *, topic: str, key: str, version: int = 1) -> None:
        super().__init_subclass__()
        cls.topic = topic
        cls.key = key
        cls.version = version
        cls._family = f"{topic.partition('.')[0]}.{cls.__name__}"
        cls._type = f"{cls._family}.v{version}"

    @classmethod
    def type(cls) -> str:
        """The CloudEvents type: `orders.OrderFilled.v1`."""
        return cls._type

    @classmethod
    def family(cls) -> str:
        """The type without its version: `orders.OrderFilled`."""
        return cls._family

    def partition_key(self) -> str:
        """Events with the same key keep their order."""
        return str(getattr(self, self.key))


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is published: the chain it belongs to and the event, if any, that it follows from."""

    correlation_id: UUID
    causation_id: UUID | None = None
    traceparent: str | None = None


E = TypeVar("E", bound=DomainEvent, covariant=True)


@dataclass(frozen=True, slots=True)
class Envelope(Generic[E]):
    """An event with its CloudEvents attributes, as a consumer gets it."""

    id: UUID
    """UUIDv7; the same in every redelivery."""
    event: E
    source: str
    """The publishing context."""
    subject: UUID
    """The aggregate that the event is about."""
    sequence: int
    """The event's place in the aggregate's life, from 1, without gaps."""
    tenant_id: UUID | None
    """The workspace; None for facts that belong to everybody, such as bars."""
    recorded_at: datetime
    cause: Cause

    @property
    def tenant(self) -> UUID:
        """The workspace that the event belongs to. Raises ValueError for a fact that belongs to everybody."""
        if self.tenant_id is None:
            msg = f"{self.event.type()} {self.id} names no tenant"
            raise ValueError(msg)
        return self.tenant_id

    def follow(self) -> Cause:
        """The cause to give to whatever follows from this event."""
        return Cause(self.cause.correlation_id, self.id, self.cause.traceparent)
