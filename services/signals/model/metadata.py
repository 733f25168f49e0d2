"""Which tables does the context have? All that are mapped on this."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from libs.kit.backbone import add_backbone
from libs.kit.personal_data.erased import add_erased_workspaces
from libs.kit.rate_limits import add_rate_limits


class Base(DeclarativeBase):
    """The tables of this context."""

    metadata = MetaData(schema="signals")


add_backbone(Base.metadata)
add_rate_limits(Base.metadata)
add_erased_workspaces(Base.metadata)
