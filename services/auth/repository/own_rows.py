"""What is the SQL of rows that every person has one of? Made when they are first needed, then locked."""

from __future__ import annotations

from typing import TypeVar
from uuid import UUID

from sqlalchemy import inspect, select
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from services.auth.model import Kyc, OnboardingProgress, Profile

Own = TypeVar("Own", Profile, Kyc, OnboardingProgress)


async def find(tx: Tx, kind: type[Own], user_id: UUID) -> Own | None:
    """The person's row, or None as long as there was no need of one. `tx` is of their home workspace."""
    return await tx.scalar(select(kind).where(kind.user_id == user_id))


async def lock(tx: Tx, fresh: Own) -> Own:
    """The row of the person that `fresh` is for, locked; it is `fresh` where there was none."""
    locked = await _locked(tx, fresh)
    if locked is None:
        # Of several at once, one makes it and the others wait for that one's end.
        await _insert(tx, fresh)
        locked = await _locked(tx, fresh)
    if locked is None:
        raise LookupError(f"the row of {fresh.user_id} in {type(fresh).__name__} is in another workspace")
    return locked


async def _locked(tx: Tx, fresh: Own) -> Own | None:
    kind = type(fresh)
    return await tx.scalar(select(kind).where(kind.user_id == fresh.user_id).with_for_update())


async def _insert(tx: Tx, fresh: Own) -> None:
    kind = type(fresh)
    columns = {attribute.key for attribute in inspect(kind).column_attrs}
    values = {name: value for name, value in vars(fresh).items() if name in columns}
    await tx.execute(insert(kind).values(values).on_conflict_do_nothing(index_elements=[kind.user_id]))
