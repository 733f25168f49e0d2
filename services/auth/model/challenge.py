"""What is a challenge? A question that one person answers once, soon, and not with the fifth guess."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.ids import uuid7
from libs.kit.model import Moment
from services.auth.model.metadata import Base
from services.auth.model.method import Method
from services.auth.model.roles import one_of
from services.auth.tokens import Ticket

LIFETIME = timedelta(minutes=5)
_MOST_ATTEMPTS = 5


class Ask(StrEnum):
    """What an answer to the challenge gives."""

    SECOND_FACTOR = "SECOND_FACTOR"
    """The rest of a login whose password was right."""
    PASSKEY_LOGIN = "PASSKEY_LOGIN"
    """A login without a password; whose, only the answer says."""
    PASSKEY_REGISTRATION = "PASSKEY_REGISTRATION"
    STEP_UP = "STEP_UP"


class LoginChallenge(Base):
    """A question that waits for its answer. Only the hash of what its holder shows is kept."""

    __tablename__ = "login_challenge"
    __table_args__ = (
        UniqueConstraint("secret_hash", name="login_challenge_secret"),
        CheckConstraint(one_of("purpose", Ask), name="login_challenge_purpose"),
        CheckConstraint("(user_id IS NULL) = (purpose = 'PASSKEY_LOGIN')", name="login_challenge_of_somebody"),
        Index("login_challenge_user", "user_id"),
        Index("login_challenge_expired", "tenant_id", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("auth.user.id"))
    purpose: Mapped[str]
    secret_hash: Mapped[bytes]
    question: Mapped[bytes | None]
    """What a passkey is to sign; taken away with the first answer, right or wrong."""
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """What the person has shown already."""
    attempts: Mapped[int]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    @classmethod
    def posed(
        cls, ticket: Ticket, ask: Ask, user_id: UUID | None, at: datetime, methods: Sequence[Method] = ()
    ) -> LoginChallenge:
        """A new one for whoever holds the ticket."""
        return cls(
            id=uuid7(),
            tenant_id=ticket.home_id,
            user_id=user_id,
            purpose=ask,
            secret_hash=ticket.digest,
            methods=list(methods),
            attempts=0,
            expires_at=at + LIFETIME,
        )

    def waits(self, ask: Ask, at: datetime) -> bool:
        """Whether it may still be answered, as a challenge of this kind."""
        return self.purpose == ask and self.used_at is None and at < self.expires_at and self.attempts < _MOST_ATTEMPTS

    def attempt(self) -> bytes | None:
        """Count an answer before it is looked at; gives what a passkey was asked, which it is asked once."""
        self.attempts += 1
        question, self.question = self.question, None
        return question

    def excuse(self) -> None:
        """An answer that was counted was no guess."""
        self.attempts -= 1

    def close(self, at: datetime) -> None:
        """It was answered."""
        self.used_at = at
