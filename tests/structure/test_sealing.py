"""Can every secret be made new? A context with sealed columns has data keys, and its rows can be told apart."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from fillstream.contexts import load, names
from libs.kit.crypto.places import Sealed, sealed_tables
from libs.kit.crypto.rotation import keeps_secrets


def keyless(metadata: MetaData) -> list[str]:
    """Tables with sealed columns in a context that has no data keys."""
    return [] if keeps_secrets(metadata) else [table.name for table in sealed_tables(metadata)]


@pytest.mark.parametrize("name", names())
def test_a_context_that_seals_has_data_keys(name: str) -> None:
    assert not keyless(load(name).metadata)


def test_a_context_that_seals_without_data_keys_is_found() -> None:
    class Base(DeclarativeBase):
        metadata = MetaData(schema="x")

    class Device(Base):
        __tablename__ = "device"
        id: Mapped[UUID] = mapped_column(primary_key=True)
        tenant_id: Mapped[UUID]
        secret: Mapped[Sealed | None]

    assert keyless(Base.metadata) == [Device.__tablename__]
