"""What can be read of devices that wait? Which one shows a code, and whose home its session will be kept in."""

from __future__ import annotations

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


async def approver_home(tx: Tx, code: DeviceCode) -> UUID | None:
    """The home of the person who approved a device; None while nobody did."""
    return await tx.scalar(
        select(User.default_workspace_id)
        .join(DeviceAuthorization, DeviceAuthorization.user_id == User.id)
        .where(DeviceAuthorization.device_code_hash == code.digest)
    )
