"""What is a data export? What every context holds about a person, collected, sealed, and there for them for some days."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, PrimaryKeyConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.crypto.keyring import Keyring
from libs.kit.crypto.places import Place, Sealed
from libs.kit.ids import uuid7
from libs.kit.model import Moment, TenantOwned
from libs.kit.personal_data.parcels import KeyPair, Label
from libs.schema.privacy import HOLDERS, DataExportRequested
from services.auth.model.deferrable import Deferrable
from services.auth.model.metadata import Base
from services.auth.model.roles import one_of


class ExportState(StrEnum):
    """What became of it."""

    COLLECTING = "COLLECTING"
    """Not every context has answered."""
    READY = "READY"
    EXPIRED = "EXPIRED"
    """Nobody can open it any more."""


class DataExport(Deferrable, TenantOwned, Base):
    """All that is held about a person. Its parts open with a key that is sealed in the person's home, and goes with it."""

    __tablename__ = "data_export"
    __table_args__ = (
        CheckConstraint(one_of("state", ExportState), name="data_export_state"),
        CheckConstraint("(state = 'EXPIRED') = (private_key IS NULL)", name="data_export_key"),
        Index("data_export_collecting", "user_id", unique=True, postgresql_where=text("state = 'COLLECTING'")),
        Index("data_export_of_user", "user_id", "created_at", "id"),
        Index("data_export_expires_at", "expires_at", postgresql_where=text("state <> 'EXPIRED'")),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("auth.user.id"))
    state: Mapped[str]
    private_key: Mapped[Sealed | None]
    public_key: Mapped[str]
    holders: Mapped[list[str]] = mapped_column(JSONB)
    """The contexts that have to answer."""
    workspaces: Mapped[list[str]] = mapped_column(JSONB)
    """The workspaces that are the person's alone, the home first."""
    asked_at: Mapped[Moment | None]
    """When the contexts were asked."""
    ready_at: Mapped[Moment | None]
    expires_at: Mapped[Moment]
    next_at: Mapped[Moment] = mapped_column(server_default=func.now())

    @classmethod
    def begin(cls, home_id: UUID, user_id: UUID, keyring: Keyring, at: datetime, lifetime: timedelta) -> DataExport:
        """A new one, which nobody was asked for."""
        keys, id_ = KeyPair.generate(), uuid7()
        return cls(
            id=id_,
            tenant_id=home_id,
            user_id=user_id,
            version=0,
            state=ExportState.COLLECTING,
            private_key=keyring.seal(keys.private, _place(id_)),
            public_key=keys.public,
            holders=list(HOLDERS),
            workspaces=[str(home_id)],
            expires_at=at + lifetime,
            next_at=at,
            failures=0,
            created_at=at,
            updated_at=at,
        )

    def ask(self, workspace_ids: tuple[UUID, ...], at: datetime) -> DataExportRequested:
        """Ask every context, for what is in workspaces that are the person's alone."""
        self.workspaces, self.asked_at, self.failures = [str(one) for one in workspace_ids], at, 0
        return DataExportRequested(
            occurred_at=at,
            export_id=self.id,
            user_id=self.user_id,
            workspace_id=self.tenant_id,
            workspace_ids=workspace_ids,
            public_key=self.public_key,
        )

    def finish(self, at: datetime, lifetime: timedelta) -> None:
        """Every context has answered: it is there for its person."""
        self.state, self.ready_at, self.expires_at, self.failures = ExportState.READY, at, at + lifetime, 0

    def put_off(self, at: datetime) -> None:
        """The same as of all that is put off, but it ends when it should have, whatever could not be done with it."""
        super().put_off(at)
        if at < self.expires_at:
            self.next_at = min(self.next_at, self.expires_at)

    def expire(self) -> None:
        """Destroy the key, and with it the parts, wherever there are copies of them."""
        self.state, self.private_key = ExportState.EXPIRED, None

    def open_key(self, keyring: Keyring) -> bytes | None:
        """What opens the parts; None when it is gone. Raises Unsealable."""
        return None if self.private_key is None else keyring.open(self.private_key, _place(self.id))


def _place(export_id: UUID) -> Place:
    return Place(DataExport.__tablename__, "private_key", export_id)


class ExportPart(Base):
    """A part of an export as a context told it, sealed for the export's key alone."""

    __tablename__ = "data_export_part"
    __table_args__ = (PrimaryKeyConstraint("export_id", "context", "number", name="data_export_part_pkey"),)

    export_id: Mapped[UUID] = mapped_column(ForeignKey("auth.data_export.id"))
    context: Mapped[str]
    number: Mapped[int]
    tenant_id: Mapped[UUID]
    about: Mapped[str]
    """The table that it is a piece of."""
    content: Mapped[bytes]

    @property
    def label(self) -> Label:
        """What it was sealed as."""
        return Label(self.export_id, self.context, self.number, self.about)


class ExportAnswer(Base):
    """That a context has told all, and how much it was."""

    __tablename__ = "data_export_answer"
    __table_args__ = (PrimaryKeyConstraint("export_id", "context", name="data_export_answer_pkey"),)

    export_id: Mapped[UUID] = mapped_column(ForeignKey("auth.data_export.id"))
    context: Mapped[str]
    tenant_id: Mapped[UUID]
    parts: Mapped[int]
    tables: Mapped[dict[str, int]] = mapped_column(JSONB)
    """How many rows of each."""
    answered_at: Mapped[Moment] = mapped_column(server_default=func.now())
