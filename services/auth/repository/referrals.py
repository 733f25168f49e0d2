"""What is the SQL of referral codes? Found by who holds one, changed by who gave it alone."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.model import BRINGERS, ReferralCode, User


async def find_bringer(tx: Tx, code: str) -> UUID | None:
    """Whose code it is; None for one that is unknown or revoked, or of somebody who brings nobody any more."""
    await tx.fetch("SELECT set_config('app.referral_code', $1, true)", code)
    return await tx.scalar(
        select(User.id)
        .join(ReferralCode, ReferralCode.user_id == User.id)
        .where(ReferralCode.code == code, ReferralCode.revoked_at.is_(None))
        .where(User.platform_role.in_(BRINGERS), User.is_active, User.deleted_at.is_(None))
    )


async def lock_code(tx: Tx, user_id: UUID, code_id: UUID) -> ReferralCode:
    """A code of the person, locked until the transaction ends. Raises NotFound."""
    found = select(ReferralCode).where(ReferralCode.id == code_id, ReferralCode.user_id == user_id)
    code = await tx.scalar(found.with_for_update())
    if code is None:
        raise NotFound("referral code", code_id)
    return code
