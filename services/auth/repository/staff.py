"""What is the SQL of staff? Super admins come and go one at a time."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from libs.kit.db import Tx
from services.auth.model import PlatformRole, User


async def lock_office(tx: Tx) -> None:
    """Let one transaction at a time make or remove a super admin; a person's row is locked before.

    Whoever holds it waits for no row of another person, so that nobody waits in a circle.
    """
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("auth.super_admin", 0))))


async def super_admins(tx: Tx) -> Sequence[User]:
    """All of them, in whatever state; there are few. Taken after `lock_office`, they stay what they are."""
    return await tx.scalars(select(User).where(User.platform_role == PlatformRole.SUPER_ADMIN).order_by(User.id))
