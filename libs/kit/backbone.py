"""Which tables carry messages? The five that every context has in its own schema."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

BACKBONE_TABLES = ("outbox", "event_log", "inbox", "dead_letter", "idempotency_key")


def _event_columns() -> list[Column[object]]:
    return [
        Column("event_id", Uuid, nullable=False),
        Column("topic", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("tenant_id", Uuid),
        Column("subject", Uuid, nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("occurred_at", DateTime(timezone=True), nullable=False),
        Column("recorded_at", DateTime(timezone=True), nullable=False),
        Column("correlation_id", Uuid, nullable=False),
        Column("causation_id", Uuid),
        Column("traceparent", Text),
        Column("data", Text, nullable=False),
    ]


def add_backbone(metadata: MetaData) -> None:
    """Describe the message tables in a context's metadata, as its migrations make them."""
    Table("outbox", metadata, Column("id", BigInteger, Identity(always=True), primary_key=True), *_event_columns())
    Table(
        "event_log",
        metadata,
        *_event_columns(),
        PrimaryKeyConstraint("event_id", name="event_log_pkey"),
        Index("event_log_subject", "subject", "sequence"),
        postgresql_partition_by="RANGE (event_id)",
    )
    Table(
        "inbox",
        metadata,
        Column("event_id", Uuid, nullable=False),
        Column("type", Text, nullable=False),
        Column("handled_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
        PrimaryKeyConstraint("event_id", name="inbox_pkey"),
        postgresql_partition_by="RANGE (event_id)",
    )
    Table(
        "dead_letter",
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("event_id", Uuid),
        Column("topic", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("key", LargeBinary),
        Column("headers", JSONB, nullable=False),
        Column("value", LargeBinary),
        Column("state", Text, nullable=False),
        Column("error", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
        Column("resolved_at", DateTime(timezone=True)),
        UniqueConstraint("topic", "partition", "offset", name="dead_letter_record"),
        Index("dead_letter_open", "topic", "key", postgresql_where=text("resolved_at IS NULL")),
    )
    Table(
        "idempotency_key",
        metadata,
        Column("tenant_id", Uuid, nullable=False),
        Column("key", Text, nullable=False),
        Column("request_hash", LargeBinary, nullable=False),
        Column("status", Integer),
        Column("body", LargeBinary),
        Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
        PrimaryKeyConstraint("tenant_id", "key", name="idempotency_key_pkey"),
        Index("idempotency_key_created_at", "created_at"),
    )
