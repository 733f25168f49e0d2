"""What is the SQL of devices? No two with one code, found by the hash of either, locked while they are judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from libs.kit.ids import uuid7
from services.auth.device_codes import DeviceCode, UserCode
from services.auth.model import DeviceAuthorization, DeviceState


@dataclass(frozen=True, slots=True)
class NewDevice:
    """Whoever asks, from where, with which codes."""

    client_id: str
    address: str
    device_code: DeviceCode
    user_code: UserCode
    interval: timedelta
    expires_at: datetime


async def insert_device(tx: Tx, new: NewDevice) -> bool:
    """Let a device wait; False when another one has, or had, one of its codes."""
    statement = (
        insert(DeviceAuthorization)
        .values(
            id=uuid7(),
            client_id=new.client_id,
            device_code_hash=new.device_code.digest,
            user_code_hash=new.user_code.digest,
            address=new.address,
            state=DeviceState.PENDING,
            methods=[],
            interval_seconds=int(new.interval.total_seconds()),
            expires_at=new.expires_at,
        )
        .on_conflict_do_nothing()
        .returning(DeviceAuthorization.id)
    )
    return await tx.scalar(statement) is not None


async def lock_by_device_code(tx: Tx, code: DeviceCode) -> DeviceAuthorization | None:
    """The device that polls with a code, locked until the transaction ends."""
    found = select(DeviceAuthorization).where(DeviceAuthorization.device_code_hash == code.digest)
    return await tx.scalar(found.with_for_update())


async def lock_by_user_code(tx: Tx, code: UserCode) -> DeviceAuthorization | None:
    """The device that shows a code, locked until the transaction ends."""
    found = select(DeviceAuthorization).where(DeviceAuthorization.user_code_hash == code.digest)
    return await tx.scalar(found.with_for_update())


async def deny_approved(tx: Tx, user_id: UUID) -> None:
    """Let no device that a person approved, and that has not fetched its session yet, have one."""
    await tx.execute(
        update(DeviceAuthorization)
        .where(DeviceAuthorization.user_id == user_id, DeviceAuthorization.state == DeviceState.APPROVED)
        .values(state=DeviceState.DENIED, user_id=None, workspace_id=None, authenticated_at=None, methods=[])
    )
