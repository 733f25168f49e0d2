"""What is a session? One login on one device: refresh tokens that follow each other, each used once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.acts import Origin
from libs.kit.ids import uuid7
from libs.kit.model import Moment, TenantOwned
from libs.schema.auth import AccessRevoked, SessionCompromised, SessionEnd, SessionOpened, SessionRevoked
from libs.schema.event import DomainEvent
from services.auth.model.metadata import Base
from services.auth.model.method import Method
from services.auth.model.roles import one_of

GRACE = timedelta(seconds=10)
"""How long a refresh token may come again from the client that has used it, and gets the same answer."""
_SALT_BYTES = 32


class Session(TenantOwned, Base):
    """One login, kept in its person's home; its tokens are for `workspace_id`."""

    __tablename__ = "session"
    __table_args__ = (
        CheckConstraint(one_of("ended_by", SessionEnd), name="session_ended_by"),
        Index("session_of_user", "user_id", "id"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    workspace_id: Mapped[UUID]
    device: Mapped[str | None]
    address: Mapped[str | None]
    authenticated_at: Mapped[Moment]
    """When the person last showed who they are: in this session, or in the one that they approved a device in."""
    last_seen_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    ended_at: Mapped[Moment | None]
    ended_by: Mapped[str | None]
    methods: Mapped[list[str]] = mapped_column(ARRAY(Text), sort_order=20)
    """How the person showed in this session who they are, in the words of RFC 8176; in that of a device nobody has, at first."""

    @property
    def shown_at(self) -> datetime | None:
        """When the person last showed in this session who they are; None when they only let a device have it."""
        return self.authenticated_at if self.methods else None

    def is_open(self, at: datetime) -> bool:
        """Whether it can be gone on with."""
        return self.ended_at is None and at < self.expires_at

    def open(self, at: datetime) -> list[DomainEvent]:
        """Tell that somebody logged in."""
        return [
            SessionOpened(
                occurred_at=at,
                session_id=self.id,
                user_id=self.user_id,
                workspace_id=self.tenant_id,
                device=self.device,
                address=self.address,
            )
        ]

    def see(self, origin: Origin, at: datetime) -> None:
        """The person is still there, maybe from elsewhere."""
        self.device, self.address, self.last_seen_at = origin.device, origin.address, at

    def show_anew(self, methods: Sequence[Method], at: datetime) -> None:
        """The person showed once more who they are, in these ways."""
        self.authenticated_at, self.methods = at, list(methods)

    def end(self, by: SessionEnd, at: datetime) -> list[DomainEvent]:
        """No token of it works any more."""
        if self.ended_at is not None:
            return []
        self.ended_at, self.ended_by = at, by
        return [
            SessionRevoked(
                occurred_at=at, session_id=self.id, user_id=self.user_id, workspace_id=self.tenant_id, reason=by
            ),
            AccessRevoked(
                occurred_at=at, user_id=self.user_id, session_id=self.id, workspace_id=None, issued_before=at
            ),
        ]

    def compromise(self, origin: Origin, at: datetime) -> list[DomainEvent]:
        """A token of it came a second time, from `origin`: whoever holds the others can't be told from a thief."""
        if self.ended_at is not None:
            return []
        told = SessionCompromised(
            occurred_at=at,
            session_id=self.id,
            user_id=self.user_id,
            workspace_id=self.tenant_id,
            device=origin.device,
            address=origin.address,
        )
        return [told, *self.end(SessionEnd.COMPROMISED, at)]


class RefreshToken(Base):
    """One link of a session: used once, it is followed by the next. Only its hash is kept."""

    __tablename__ = "refresh_token"
    __table_args__ = (
        UniqueConstraint("token_hash", name="refresh_token_hash"),
        Index("refresh_token_session", "session_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    tenant_id: Mapped[UUID]
    session_id: Mapped[UUID] = mapped_column(ForeignKey("auth.session.id"))
    token_hash: Mapped[bytes]
    expires_at: Mapped[Moment]
    used_at: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())
    successor_salt: Mapped[bytes | None]
    """What its holder, and nobody else, finds the next token with, for as long as the answer may have been lost."""

    def use(self, at: datetime) -> bytes:
        """Use it up; gives what the next token is made with."""
        self.used_at, self.successor_salt = at, secrets.token_bytes(_SALT_BYTES)
        return self.successor_salt

    def may_come_again(self, at: datetime) -> bool:
        """Whether it was used so lately that its use may have been another tab's, or have gone unanswered."""
        return self.used_at is not None and at < self.used_at + GRACE
