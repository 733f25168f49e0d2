"""What happens to a device that wants a session? It asks, a person answers elsewhere, it polls until it hears."""

from __future__ import annotations

from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.auth.commands.sessions import Tokens, open_session
from services.auth.device_codes import Authorizing, DeviceCode, UserCode
from services.auth.model import DeviceAuthorization, Refusal
from services.auth.repository import devices, users
from services.auth.repository.devices import NewDevice
from services.auth.tokens import Issuing


async def ask(tx: Tx, how: Authorizing, client_id: str, address: str) -> NewDevice:
    """Let a device wait for a person; tells its codes."""
    while True:
        codes = DeviceCode.generate(), UserCode.generate()
        device = NewDevice(client_id, address, *codes, how.interval, tx.now + how.lifetime)
        # A code that somebody has seen before must not lead to a device of today.
        if await devices.insert_device(tx, device):
            return device


async def approve(tx: Tx, code: UserCode, user_id: UUID, workspace_id: UUID) -> DeviceAuthorization:
    """Let the device that shows a code act for a person. Raises NotFound when none does that still waits."""
    device = await _lock_waiting(tx, code)
    device.approve(user_id, workspace_id)
    return device


async def deny(tx: Tx, code: UserCode) -> DeviceAuthorization:
    """Send the device that shows a code away. Raises NotFound when none does that still waits."""
    device = await _lock_waiting(tx, code)
    device.deny()
    return device


async def poll(
    tx: Tx, issuing: Issuing, code: DeviceCode, client_id: str, home_id: UUID | None, origin: Origin
) -> Tokens | Refusal:
    """Answer a device; its session is opened once. `tx` is a transaction of its person's home, or of none as yet.

    Each poll is remembered, so the caller must commit before it refuses.
    """
    device = await devices.lock_by_device_code(tx, code)
    if device is None or device.client_id != client_id:
        return Refusal.INVALID_GRANT
    if device.user_id is not None and home_id is None:
        # Approved a moment ago: this transaction can't open the session, the next poll's can.
        return Refusal.AUTHORIZATION_PENDING
    refusal = device.poll(tx.now)
    if refusal is not None or device.user_id is None or device.workspace_id is None:
        return refusal or Refusal.INVALID_GRANT
    user = await users.lock_user(tx, device.user_id)
    opened = await open_session(tx, issuing, user, device.workspace_id, origin) if user.is_present else None
    # Deactivated, or no member any more, since they approved.
    return opened or Refusal.INVALID_GRANT


async def _lock_waiting(tx: Tx, code: UserCode) -> DeviceAuthorization:
    device = await devices.lock_by_user_code(tx, code)
    if device is None or not device.waits(tx.now):
        raise NotFound("device that waits with the code", str(code))
    return device
