"""What can be read of devices that wait? Which one shows a code, and for which workspace one was approved."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.device_codes import DeviceCode, UserCode
from services.auth.model import DeviceAuthorization


async def waiting_device(tx: Tx, code: UserCode) -> DeviceAuthorization:
    """The device that shows a code. Raises NotFound when none does that still waits for an answer."""
    device = await tx.scalar(select(DeviceAuthorization).where(DeviceAuthorization.user_code_hash == code.digest))
    if device is None or not device.waits(tx.now):
        raise NotFound("device that waits with the code", str(code))
    return device


async def approved_workspace(tx: Tx, code: DeviceCode) -> UUID | None:
    """The workspace that a device may have a session in; None while nobody approved it."""
    return await tx.scalar(
        select(DeviceAuthorization.workspace_id).where(DeviceAuthorization.device_code_hash == code.digest)
    )
