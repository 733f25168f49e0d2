"""Who asked over HTTP? People whom a device shows a code, and who say whether it may act for them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from libs.kit.errors import Forbidden
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.rate_limits import per_address, per_user
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires, requires_fresh
from services.auth.api.parts import FreshDb, Somebody
from services.auth.commands import devices
from services.auth.commands.devices import Approval, Denial
from services.auth.device_codes import UserCode
from services.auth.model import CLIENTS, DeviceAuthorization, DeviceState
from services.auth.queries.devices import waiting_device

router = Router()

_guesses = [per_address("user-code"), per_user("user-code-account")]
TypedCode = Annotated[str, StringConstraints(min_length=1, max_length=40), Field(examples=["BCDF-GHJK"])]
# A key that may do less than its owner must not get itself a session that may do everything.
Approver = Annotated[Caller, Depends(requires("devices:approve"))]
# A stolen access token lives for minutes; the session of a device that it approved would live for months.
FreshApprover = Annotated[Caller, Depends(requires_fresh("devices:approve"))]


class DeviceShown(BaseModel):
    """What a person should recognise before they approve."""

    client_id: str
    client_name: str
    address: str
    """Where it was asked from."""
    state: DeviceState
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, device: DeviceAuthorization) -> Self:
        """The device, without its codes."""
        return cls(
            client_id=device.client_id,
            client_name=CLIENTS.get(device.client_id, device.client_id),
            address=device.address,
            state=DeviceState(device.state),
            created_at=device.created_at,
            expires_at=device.expires_at,
        )


class DecisionIn(BaseModel):
    """What a person says to the device that shows a code."""

    model_config = ConfigDict(extra="forbid")

    user_code: TypedCode
    decision: Literal["APPROVE", "DENY"]


@router.get("/v1/auth/device/approval", dependencies=_guesses)
async def show_device(user_code: Annotated[TypedCode, Query()], caller: Approver, db: Db) -> DeviceShown:
    """Which device shows this code. Approve none that you did not ask to show it: others may have sent you the code."""
    async with db.transaction(caller.tenant_id) as tx:
        return DeviceShown.of(await waiting_device(tx, UserCode.parse(user_code)))


@router.post("/v1/auth/device/approval", dependencies=_guesses)
async def decide_device(
    body: DecisionIn, caller: FreshApprover, somebody: Somebody, db: FreshDb, origin: RequestOrigin, cause: RequestCause
) -> DeviceShown:
    """Let a device have a session in the workspace of your token, or send it away."""
    if caller.authenticated_at is None:
        raise Forbidden("the token does not say when its person logged in", slug="not-a-session")
    code = UserCode.parse(body.user_code)
    async with db.transaction(somebody.home_id, cause) as tx:
        if body.decision == "DENY":
            return DeviceShown.of(await devices.deny(tx, code, somebody.home_id, Denial(caller.user_id, origin)))
        approval = Approval(caller.user_id, caller.tenant_id, caller.session_id, caller.authenticated_at, origin)
        return DeviceShown.of(await devices.approve(tx, code, approval))
