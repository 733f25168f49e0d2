"""What is the SQL of devices? Found by the hash of either code, locked while they are judged."""

from __future__ import annotations

from sqlalchemy import select

from libs.kit.db import Tx
from services.auth.device_codes import DeviceCode, UserCode
from services.auth.model import DeviceAuthorization


async def lock_by_device_code(tx: Tx, code: DeviceCode) -> DeviceAuthorization | None:
    """The device that polls with a code, locked until the transaction ends."""
    found = select(DeviceAuthorization).where(DeviceAuthorization.device_code_hash == code.digest)
    return await tx.scalar(found.with_for_update())


async def lock_by_user_code(tx: Tx, code: UserCode) -> DeviceAuthorization | None:
    """The device that shows a code, locked until the transaction ends."""
    found = select(DeviceAuthorization).where(DeviceAuthorization.user_code_hash == code.digest)
    return await tx.scalar(found.with_for_update())
