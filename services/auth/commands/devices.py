"""What happens to a device that wants a session? It asks, a person answers elsewhere, it polls until it hears."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import NotFound, Unauthenticated
from libs.schema.audit import ActorKind
from services.auth.commands.sessions import Authenticated, Tokens, open_session
from services.auth.device_codes import Authorizing, DeviceCode, UserCode
from services.auth.model import DeviceAuthorization, Refusal
from services.auth.repository import devices, sessions, users
from services.auth.repository.devices import NewDevice
from services.auth.tokens import Issuing


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's word for a device, and when they last showed who they are."""

    user_id: UUID
    workspace_id: UUID
    session_id: UUID | None
    """The session that they say it in."""
    authenticated_at: datetime
    origin: Origin


@dataclass(frozen=True, slots=True)
class Denial:
    """A person's word against a device."""

    user_id: UUID
    origin: Origin


async def ask(tx: Tx, how: Authorizing, client_id: str, address: str) -> NewDevice:
    """Let a device wait for a person; tells its codes."""
    while True:
        codes = DeviceCode.generate(), UserCode.generate()
        device = NewDevice(client_id, address, *codes, how.interval, tx.now + how.lifetime)
        # A code that somebody has seen before must not lead to a device of today.
        if await devices.insert_device(tx, device):
            return device


async def approve(tx: Tx, code: UserCode, approval: Approval) -> DeviceAuthorization:
    """Let the device that shows a code act for a person, whose home `tx` is a transaction of.

    Raises Forbidden before the person's address is proved, NotFound when none does that still waits, and Unauthenticated
    when the person's session is over by now: the person's lock lets whoever ends their sessions find every device that they
    approved before.
    """
    user = await users.lock_user(tx, approval.user_id)
    if not user.may_be_acted_for(tx.now) or not await _goes_on(tx, approval):
        raise Unauthenticated("the session is over")
    user.refuse_unproved()
    device = await _lock_waiting(tx, code)
    device.approve(approval.user_id, approval.workspace_id, approval.authenticated_at)
    _tell(
        tx, "device.approved", device, user.default_workspace_id, Actor(ActorKind.USER, user.id, origin=approval.origin)
    )
    return device


async def _goes_on(tx: Tx, approval: Approval) -> bool:
    if approval.session_id is None:
        return True
    return (await sessions.lock_session(tx, approval.user_id, approval.session_id)).is_open(tx.now)


async def deny(tx: Tx, code: UserCode, home_id: UUID, by: Denial) -> DeviceAuthorization:
    """Send the device that shows a code away. Raises NotFound when none does that still waits."""
    device = await _lock_waiting(tx, code)
    device.deny()
    _tell(tx, "device.denied", device, home_id, Actor(ActorKind.USER, by.user_id, origin=by.origin))
    return device


async def poll(
    tx: Tx, issuing: Issuing, code: DeviceCode, client_id: str, user_id: UUID | None, origin: Origin
) -> Tokens | Refusal:
    """Answer a device; its session is opened once. `tx` is a transaction of its person's home, or of none as yet.

    Each poll is remembered, so the caller must commit before it refuses. People are locked before their devices.
    """
    user = None if user_id is None else await users.lock_user(tx, user_id)
    device = await devices.lock_by_device_code(tx, code)
    if device is None or device.client_id != client_id:
        return Refusal.INVALID_GRANT
    if device.user_id != user_id:
        # Approved, or taken back, a moment ago: this transaction can't tell, the next poll's can.
        return Refusal.AUTHORIZATION_PENDING
    refusal = device.poll(tx.now)
    if refusal is not None or user is None or device.workspace_id is None or device.authenticated_at is None:
        return refusal or Refusal.INVALID_GRANT
    # What the person showed, they showed elsewhere: whoever holds the device has shown nothing.
    login = Authenticated(user, device.workspace_id, device.authenticated_at, ())
    opened = await open_session(tx, issuing, login, origin) if user.may_be_acted_for(tx.now) else None
    # Deactivated, locked by support, or no member any more, since they approved.
    return opened or Refusal.INVALID_GRANT


def _tell(tx: Tx, name: str, device: DeviceAuthorization, home_id: UUID, by: Actor) -> None:
    tell_act(tx, home_id, Act(name, by, Target("device", device.id)))


async def _lock_waiting(tx: Tx, code: UserCode) -> DeviceAuthorization:
    device = await devices.lock_by_user_code(tx, code)
    if device is None or not device.waits(tx.now):
        raise NotFound("device that waits with the code", str(code))
    return device
