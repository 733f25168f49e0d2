"""What happens to referral codes? They are made, given to people, and taken back; who came with one stays brought."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import Invalid
from libs.kit.ids import uuid7
from libs.schema.audit import ActorKind
from services.auth.model import ReferralCode, new_referral_code
from services.auth.repository import referrals


async def make_code(tx: Tx, home_id: UUID, user_id: UUID, origin: Origin) -> ReferralCode:
    """A new code of a person, kept in their home, which `tx` is a transaction of."""
    code = ReferralCode(id=uuid7(), tenant_id=home_id, user_id=user_id, code=new_referral_code())
    tx.add(code)
    await tx.flush()
    _tell(tx, "referral_code.made", code, origin)
    return code


async def revoke_code(tx: Tx, user_id: UUID, code_id: UUID, origin: Origin) -> None:
    """Let nobody register with a code any more. Raises NotFound."""
    code = await referrals.lock_code(tx, user_id, code_id)
    if code.revoke(tx.now):
        _tell(tx, "referral_code.revoked", code, origin)


async def bringer_of(tx: Tx, code: str | None) -> UUID | None:
    """Who brings somebody that registers; None for whoever comes without a code. Raises Invalid for one that does not work."""
    if code is None:
        return None
    bringer_id = await referrals.find_bringer(tx, code)
    if bringer_id is None:
        raise Invalid("/referral_code", "is no code that works, or no longer", slug="unknown-referral-code")
    return bringer_id


def _tell(tx: Tx, name: str, code: ReferralCode, origin: Origin) -> None:
    actor = Actor(ActorKind.USER, code.user_id, origin=origin)
    tell_act(tx, code.tenant_id, Act(name, actor, Target("referral_code", code.id)))
