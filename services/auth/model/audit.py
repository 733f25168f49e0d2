"""What is the audit trail? A chain of entries for each workspace, to which is only added, and how far it goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.model import Moment, TenantOwned
from libs.schema.audit import AuditHeadPublished
from services.auth.audit.chain import Entry, Link, link
from services.auth.audit.heads import Head
from services.auth.model.metadata import Base


@dataclass(frozen=True, slots=True)
class SecurityAct:
    """What a context told that somebody did; `event_id` is that event's, so that it is recorded once."""

    workspace_id: UUID
    event_id: UUID
    source: str
    """The context that told it."""
    act: str
    actor_kind: str
    actor_id: UUID | None
    on_behalf_of: UUID | None
    target_kind: str
    target_id: str
    result: str
    reason: str | None
    address: str | None
    device: str | None
    correlation_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    """When its context told it."""

    def at(self, sequence: int) -> Entry:
        """The act in its place of the trail."""
        return Entry(
            act=self.act,
            actor_id=self.actor_id,
            actor_kind=self.actor_kind,
            address=self.address,
            correlation_id=self.correlation_id,
            device=self.device,
            event_id=self.event_id,
            occurred_at=self.occurred_at,
            on_behalf_of=self.on_behalf_of,
            reason=self.reason,
            recorded_at=self.recorded_at,
            result=self.result,
            sequence=sequence,
            source=self.source,
            target_id=self.target_id,
            target_kind=self.target_kind,
            workspace_id=self.workspace_id,
        )


class AuditEntry(Base):
    """An act that was recorded. Nobody changes or deletes it: no role may, and a trigger refuses it to the owner."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        PrimaryKeyConstraint("tenant_id", "sequence", name="audit_entry_pkey"),
        UniqueConstraint("event_id", name="audit_entry_event_id"),
        CheckConstraint("sequence >= 1", name="audit_entry_sequence"),
        CheckConstraint("octet_length(hash) = 32 AND octet_length(previous_hash) = 32", name="audit_entry_hashes"),
        Index("audit_entry_actor", "tenant_id", "actor_id", "sequence"),
        Index("audit_entry_target", "tenant_id", "target_kind", "target_id", "sequence"),
    )

    tenant_id: Mapped[UUID]
    sequence: Mapped[int] = mapped_column(BigInteger)
    event_id: Mapped[UUID]
    source: Mapped[str]
    act: Mapped[str]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    on_behalf_of: Mapped[UUID | None]
    target_kind: Mapped[str]
    target_id: Mapped[str]
    result: Mapped[str]
    reason: Mapped[str | None]
    address: Mapped[str | None]
    device: Mapped[str | None]
    correlation_id: Mapped[UUID]
    occurred_at: Mapped[Moment]
    recorded_at: Mapped[Moment]
    previous_hash: Mapped[bytes]
    hash: Mapped[bytes]


class AuditChain(TenantOwned, Base):
    """How far a workspace's trail goes. Its lock gives the entries their order."""

    __tablename__ = "audit_chain"
    __table_args__ = (
        UniqueConstraint("tenant_id", name="audit_chain_tenant"),
        CheckConstraint("signed_sequence <= last_sequence", name="audit_chain_signed"),
        Index("audit_chain_grown", "id", postgresql_where=text("signed_sequence < last_sequence")),
    )

    last_sequence: Mapped[int] = mapped_column(BigInteger)
    last_hash: Mapped[bytes]
    signed_sequence: Mapped[int] = mapped_column(BigInteger)
    """The number of the entry that the last signed head names; 0 before the first."""

    @property
    def head(self) -> Head:
        """How far it goes now."""
        return Head(self.tenant_id, self.last_sequence, self.last_hash)

    @property
    def head_to_tell(self) -> Head:
        """The same, naming the head that was told before."""
        return Head(self.tenant_id, self.last_sequence, self.last_hash, self.signed_sequence)

    def append(self, act: SecurityAct) -> Link:
        """Put an act of the workspace behind the last one."""
        added = link(self.last_hash, act.at(self.last_sequence + 1))
        self.last_sequence, self.last_hash = added.entry.sequence, added.hash
        return added

    def publish_head(self, kid: str, signature: str, at: datetime) -> list[AuditHeadPublished]:
        """Tell how far it goes, as it was signed."""
        previous, self.signed_sequence = self.signed_sequence, self.last_sequence
        return [
            AuditHeadPublished(
                occurred_at=at,
                workspace_id=self.tenant_id,
                sequence=self.last_sequence,
                previous_sequence=previous,
                hash=self.last_hash.hex(),
                kid=kid,
                signature=signature,
            )
        ]
