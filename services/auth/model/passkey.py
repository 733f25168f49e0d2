"""What is kept of a passkey? Its public key, how often it was used, and what its person calls it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.ids import uuid7
from libs.kit.model import Moment
from services.auth.model.metadata import Base
from services.auth.passkeys import KnownPasskey, NewPasskey, Owner, UsedPasskey

MOST = 20
"""Passkeys that one person may have."""
_HANDLE_BYTES = 16


class Passkey(Base):
    """One of a person's passkeys, kept in their home. Nobody else's has its credential id."""

    __tablename__ = "passkey"
    __table_args__ = (
        UniqueConstraint("credential_id", name="passkey_credential"),
        Index("passkey_user", "user_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    credential_id: Mapped[bytes]
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    aaguid: Mapped[UUID]
    transports: Mapped[list[str]] = mapped_column(ARRAY(Text))
    backup_eligible: Mapped[bool]
    backed_up: Mapped[bool]
    name: Mapped[str]
    last_used_at: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    @classmethod
    def of(cls, home_id: UUID, user_id: UUID, new: NewPasskey, name: str, at: datetime) -> Passkey:
        """What a registration proved."""
        return cls(
            id=uuid7(),
            tenant_id=home_id,
            user_id=user_id,
            credential_id=new.credential_id,
            public_key=new.public_key,
            sign_count=new.sign_count,
            aaguid=new.aaguid,
            transports=list(new.transports),
            backup_eligible=new.backup_eligible,
            backed_up=new.backed_up,
            name=name,
            created_at=at,
        )

    @property
    def known(self) -> KnownPasskey:
        """What an answer is checked against."""
        return KnownPasskey(
            self.credential_id,
            self.public_key,
            handle_of(self.user_id),
            self.sign_count,
            tuple(self.transports),
            self.backup_eligible,
        )

    def use(self, used: UsedPasskey, at: datetime) -> None:
        """Remember what an answer proved. Its row is locked."""
        self.sign_count, self.backed_up, self.last_used_at = used.sign_count, used.backed_up, at


def handle_of(user_id: UUID) -> bytes:
    """What a passkey knows its person by: an id that says nothing of them, and that a login finds their home with."""
    return user_id.bytes


def owner_of(handle: bytes | None) -> UUID | None:
    """Whose passkey it says it is; None when it can't be one of ours."""
    return UUID(bytes=handle) if handle is not None and len(handle) == _HANDLE_BYTES else None


def owner(user_id: UUID, email: str, name: str | None) -> Owner:
    """A person as their authenticator shows them."""
    return Owner(handle_of(user_id), email, name or email)
