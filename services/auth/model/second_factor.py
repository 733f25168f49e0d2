"""What is a second factor beside passkeys? An application that shows codes, and codes on paper for when it is lost."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.crypto.keyring import Keyring
from libs.kit.crypto.places import Place, Sealed
from libs.kit.ids import uuid7
from libs.kit.model import Moment
from services.auth.model.metadata import Base
from services.auth.recovery import RecoveryCode
from services.auth.totp import Taken, accept, matching_step


class Factor(StrEnum):
    """What a person may show beside their password."""

    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"
    PASSKEY = "passkey"


class Totp(Base):
    """An authenticator application of a person's: one that is confirmed, and maybe one that waits to take its place."""

    __tablename__ = "totp"
    __table_args__ = (
        Index("totp_confirmed", "user_id", unique=True, postgresql_where=text("confirmed_at IS NOT NULL")),
        Index("totp_waiting", "user_id", unique=True, postgresql_where=text("confirmed_at IS NULL")),
        Index("totp_tenant", "tenant_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    secret: Mapped[Sealed]
    confirmed_at: Mapped[Moment | None]
    """When the person showed that their application has the secret; no code counts before."""
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    """The step of the last code that was accepted; only later ones still are."""
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    @classmethod
    def offered(cls, home_id: UUID, user_id: UUID, secret: bytes, keyring: Keyring) -> Totp:
        """One whose secret is being shown to its person."""
        row = uuid7()
        sealed = keyring.seal(secret, Place(cls.__tablename__, "secret", row))
        return cls(id=row, tenant_id=home_id, user_id=user_id, secret=sealed)

    def take(self, code: str, keyring: Keyring, at: datetime) -> Taken:
        """Whether a code counts now; then neither it nor any before it will again. Its row is locked."""
        secret = keyring.open(self.secret, Place(self.__tablename__, "secret", self.id))
        matched = matching_step(secret, code, at)
        step = accept(self.last_step, matched)
        if step is None:
            return Taken.WRONG if matched is None else Taken.USED
        self.last_step = step
        return Taken.RIGHT


class KeptRecoveryCode(Base):
    """What is kept of a recovery code: enough to recognise it, once."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("user_id", "digest", name="recovery_code_digest"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    digest: Mapped[bytes]
    used_at: Mapped[Moment | None]
    created_at: Mapped[Moment] = mapped_column(server_default=func.now())

    @classmethod
    def of(cls, home_id: UUID, user_id: UUID, code: RecoveryCode) -> KeptRecoveryCode:
        """A code that its person is being shown."""
        return cls(tenant_id=home_id, user_id=user_id, digest=code.digest_for(user_id))
