"""How does a person go? They ask, may think again for a while, are shut out, and are erased everywhere; a certificate says so."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.errors import Conflict
from libs.kit.model import Moment, TenantOwned
from libs.schema.event import DomainEvent
from libs.schema.privacy import HOLDERS, ErasureCancelled, ErasureRequested, UserErased
from services.auth.model.deferrable import Deferrable
from services.auth.model.metadata import Base
from services.auth.model.roles import one_of


class ErasureState(StrEnum):
    """How far it is."""

    WAITING = "WAITING"
    """The person may still think again."""
    CANCELLED = "CANCELLED"
    CLOSED = "CLOSED"
    """The person is shut out; what they had in flight comes to its end."""
    ERASED = "ERASED"
    """Auth has erased them and told every context."""
    CERTIFIED = "CERTIFIED"
    """Every context has answered."""


class ErasureAct(StrEnum):
    """What may happen to it."""

    CANCEL = "CANCEL"
    CLOSE = "CLOSE"
    ERASE = "ERASE"
    CERTIFY = "CERTIFY"


TRANSITIONS: Mapping[tuple[ErasureState, ErasureAct], ErasureState] = MappingProxyType({
    (ErasureState.WAITING, ErasureAct.CANCEL): ErasureState.CANCELLED,
    (ErasureState.WAITING, ErasureAct.CLOSE): ErasureState.CLOSED,
    (ErasureState.CLOSED, ErasureAct.ERASE): ErasureState.ERASED,
    (ErasureState.ERASED, ErasureAct.CERTIFY): ErasureState.CERTIFIED,
})  # fmt: skip
"""What becomes of it; whatever is not here can't happen."""


class Erasure(Deferrable, TenantOwned, Base):
    """A person's wish to be erased, and what came of it. It outlives them, without anything of theirs but ids."""

    __tablename__ = "erasure"
    __table_args__ = (
        CheckConstraint(one_of("state", ErasureState), name="erasure_state"),
        CheckConstraint("(state = 'CERTIFIED') = (certificate IS NOT NULL)", name="erasure_certificate"),
        Index(
            "erasure_open",
            "user_id",
            unique=True,
            postgresql_where=text("state IN ('WAITING', 'CLOSED', 'ERASED')"),
        ),
        Index("erasure_of_user", "user_id", "created_at"),
        Index(
            "erasure_due",
            "state",
            "next_at",
            postgresql_where=text("state IN ('WAITING', 'CLOSED', 'ERASED')"),
        ),
        Index("erasure_ticket", "ticket_hash", unique=True),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    state: Mapped[str]
    due_at: Mapped[Moment]
    """Until when the person may think again."""
    holders: Mapped[list[str]] = mapped_column(JSONB)
    """The contexts that have to answer."""
    closed_at: Mapped[Moment | None]
    erased_at: Mapped[Moment | None]
    certified_at: Mapped[Moment | None]
    ticket_hash: Mapped[bytes | None]
    """Of the token in the last mail."""
    certificate: Mapped[str | None]
    """A compact JWS."""

    @classmethod
    def wish(cls, home_id: UUID, user_id: UUID, at: datetime, waiting: timedelta) -> Erasure:
        """A new one, which can be cancelled for some time."""
        due_at = at + waiting
        return cls(
            tenant_id=home_id,
            user_id=user_id,
            version=0,
            state=ErasureState.WAITING,
            due_at=due_at,
            next_at=due_at,
            failures=0,
            holders=list(HOLDERS),
            created_at=at,
        )

    def is_due(self, state: ErasureState, at: datetime) -> bool:
        """Whether it is in a state, and its next step is due."""
        return self.state == state and self.next_at <= at

    def request(self, at: datetime) -> list[DomainEvent]:
        """Tell that it is wished for."""
        return [
            ErasureRequested(
                occurred_at=at,
                erasure_id=self.id,
                user_id=self.user_id,
                workspace_id=self.tenant_id,
                due_at=self.due_at,
            )
        ]

    def cancel(self, at: datetime) -> list[DomainEvent]:
        """The person stays. Raises Conflict when it is too late."""
        self._move(ErasureAct.CANCEL)
        return [ErasureCancelled(occurred_at=at, erasure_id=self.id, user_id=self.user_id, workspace_id=self.tenant_id)]

    def close(self, ticket_hash: bytes, at: datetime, closing: timedelta) -> None:
        """The person is out, and got the last mail; what they had in flight has some time to come to its end."""
        self._move(ErasureAct.CLOSE)
        self.closed_at, self.ticket_hash, self.next_at = at, ticket_hash, at + closing

    def postpone(self, until: datetime) -> None:
        """It can't be done now: others depend on the person."""
        self.next_at = until

    def erase(self, workspace_ids: tuple[UUID, ...], at: datetime) -> UserErased:
        """Auth has erased the person: now everybody has to."""
        self._move(ErasureAct.ERASE)
        self.erased_at = self.next_at = at
        return UserErased(
            occurred_at=at,
            erasure_id=self.id,
            user_id=self.user_id,
            workspace_id=self.tenant_id,
            workspace_ids=workspace_ids,
        )

    def certify(self, certificate: str, at: datetime) -> None:
        """Everybody has answered."""
        self._move(ErasureAct.CERTIFY)
        self.certified_at, self.certificate = at, certificate

    def _move(self, act: ErasureAct) -> None:
        after = TRANSITIONS.get((ErasureState(self.state), act))
        if after is None:
            raise Conflict(f"the erasure is {self.state.lower()}", slug="erasure-state")
        self.state, self.failures = after, 0


class ErasureAnswer(Base):
    """What a context has erased, and what it keeps."""

    __tablename__ = "erasure_answer"
    __table_args__ = (PrimaryKeyConstraint("erasure_id", "context", name="erasure_answer_pkey"),)

    erasure_id: Mapped[UUID] = mapped_column(ForeignKey("auth.erasure.id"))
    context: Mapped[str]
    tenant_id: Mapped[UUID]
    erased: Mapped[list[dict[str, JsonValue]]] = mapped_column(JSONB)
    kept: Mapped[list[dict[str, JsonValue]]] = mapped_column(JSONB)
    answered_at: Mapped[Moment] = mapped_column(server_default=func.now())
