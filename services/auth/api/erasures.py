"""Who asked over HTTP? People who want to be erased, think again, or have the certificate that says that they were."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel, ConfigDict

from libs.kit.errors import Conflict
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.rate_limits import per_address, per_user
from libs.kit.http.routes import Router
from libs.kit.security import fresh
from libs.schema.values import UtcDatetime
from services.auth.api.fields import PresentedToken
from services.auth.api.parts import AllParts, FreshDatabase, FreshDb, Person, Somebody, mailed, spent
from services.auth.commands.erasures import cancel_erasure, request_erasure
from services.auth.model import Erasure, ErasureState
from services.auth.queries import privacy

router = Router()


class ErasureOut(BaseModel):
    """The caller's erasure."""

    id: UUID
    state: ErasureState
    created_at: UtcDatetime
    due_at: UtcDatetime
    """Until when it can be cancelled."""

    @classmethod
    def of(cls, erasure: Erasure) -> Self:
        """The erasure as its person sees it."""
        return cls.model_validate(erasure, from_attributes=True)


class PendingOut(BaseModel):
    """Whether the caller is going."""

    erasure: ErasureOut | None


class TicketIn(BaseModel):
    """The token of the last mail."""

    model_config = ConfigDict(extra="forbid")

    token: PresentedToken


class CertificateOut(BaseModel):
    """What came of an erasure."""

    erasure_id: UUID
    state: ErasureState
    certificate: str | None
    """A compact JWS that says what is gone, and what was kept by which law; null until everybody has answered."""


@router.post("/v1/me/erasure", status_code=202, dependencies=[Depends(fresh), per_user("mail")])
async def ask_for_erasure(
    somebody: Somebody, db: FreshDb, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> ErasureOut:
    """Be erased after some time to think again. Refused while others are in a workspace that the caller owns."""
    await _refuse_while_others_depend(db, somebody)
    async with db.transaction(somebody.home_id, cause) as tx:
        erasure = await request_erasure(tx, somebody.home_id, somebody.user_id, parts.terms.waiting, origin)
        return ErasureOut.of(erasure)


@router.get("/v1/me/erasure")
async def pending_erasure(somebody: Somebody, db: Db) -> PendingOut:
    """The caller's erasure, while it waits."""
    async with db.transaction(somebody.home_id) as tx:
        found = await privacy.erasure(tx, somebody.user_id)
        return PendingOut(erasure=None if found is None else ErasureOut.of(found))


@router.delete("/v1/me/erasure", status_code=204, dependencies=[per_user("mail")])
async def stay(somebody: Somebody, db: Db, origin: RequestOrigin, cause: RequestCause) -> Response:
    """Stay after all."""
    async with db.transaction(somebody.home_id, cause) as tx:
        await cancel_erasure(tx, somebody.user_id, origin)
    return Response(status_code=204)


@router.post("/v1/auth/erasure-certificate", dependencies=[per_address("certificate")])
async def erasure_certificate(body: TicketIn, db: Db) -> CertificateOut:
    """The certificate of an erasure, with the token that came in the last mail: its person has no account any more."""
    presented = mailed(body.token.get_secret_value())
    async with db.transaction(presented.home_id) as tx:
        found = await privacy.erasure_by(tx, presented)
    if found is None:
        raise spent()
    return CertificateOut(erasure_id=found.id, state=ErasureState(found.state), certificate=found.certificate)


async def _refuse_while_others_depend(db: FreshDatabase, somebody: Person) -> None:
    async with db.transaction(somebody.home_id) as tx:
        workspace_ids = await privacy.memberships(tx, somebody.user_id)
    for workspace_id in workspace_ids:
        async with db.transaction(workspace_id) as tx:
            if await privacy.others_depend_on(tx, somebody.user_id, workspace_id):
                raise Conflict(
                    f"others are in the workspace {workspace_id}, which is yours: give it to one of them first",
                    slug="workspace-shared",
                )
