"""What can be read of devices that wait? Which one shows a code, and who approved one."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.device_codes import DeviceCode, UserCode
from services.auth.model import DeviceAuthorization, User


async def waiting_device(tx: Tx, code: UserCode) -> DeviceAuthorization:
    """The device that shows a code. Raises NotFound when none does that still waits for an answer."""
    device = await tx.scalar(select(DeviceAuthorization).where(DeviceAuthorization.user_code_hash == code.digest))
    if device is None or not device.waits(tx.now):
        raise NotFound("device that waits with the code", str(code))
    return device


@dataclass(frozen=True, slots=True)
class Approver:
    """The person who approved a device."""

    user_id: UUID
    home_id: UUID


async def approver(tx: Tx, code: DeviceCode) -> Approver | None:
    """Who approved a device; None while nobody did."""
    user = await tx.scalar(
        select(User)
        .join(DeviceAuthorization, DeviceAuthorization.user_id == User.id)
        .where(DeviceAuthorization.device_code_hash == code.digest)
    )
    return None if user is None else Approver(user.id, user.default_workspace_id)
