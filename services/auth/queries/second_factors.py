"""What can be read of second factors? What a person has set up, and whether they have to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.kit.db import Tx
from services.auth.model import STAFF, Passkey, User
from services.auth.repository import second_factors


@dataclass(frozen=True, slots=True)
class SetUp:
    """All that a person can show beside their password."""

    has_totp: bool
    passkeys: Sequence[Passkey]
    recovery_codes_left: int
    is_demanded: bool


async def passkeys(tx: Tx, user_id: UUID) -> Sequence[Passkey]:
    """A person's passkeys, the oldest first; `tx` is a transaction of their home."""
    return await second_factors.passkeys(tx, user_id)


async def set_up(tx: Tx, user: User) -> SetUp:
    """What a person has; `tx` is a transaction of their home."""
    return SetUp(
        (await second_factors.kinds(tx, user.id)).totp,
        await second_factors.passkeys(tx, user.id),
        await second_factors.count_recovery_codes(tx, user.id),
        user.platform_role in STAFF or await second_factors.is_demanded_anywhere(tx, user.id),
    )
