"""Who asked over HTTP? Resellers and sales staff, who give codes to people and see whom they brought."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel

from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.routes import Router
from libs.kit.security import requires
from libs.schema.values import UtcDatetime
from services.auth.api.parts import Somebody
from services.auth.commands import referrals
from services.auth.model import ReferralCode
from services.auth.queries import customers as read

router = Router()

_gives_codes = Depends(requires("referrals:write"))
_sees_customers = Depends(requires("customers:read"))


class ReferralCodeOut(BaseModel):
    """A code to give to people who register."""

    id: UUID
    code: str
    created_at: UtcDatetime
    revoked_at: UtcDatetime | None

    @classmethod
    def of(cls, code: ReferralCode) -> Self:
        """The code as its giver sees it."""
        return cls(**{name: getattr(code, name) for name in cls.model_fields})


class CustomerOut(BaseModel):
    """Somebody whom the caller brought, and no more of them than that takes."""

    id: UUID
    first_name: str | None
    last_name: str | None
    email: str
    """As `a***@example.com`."""
    registered_at: UtcDatetime
    tier: str | None
    """The plan that they are on; null before it is known."""
    is_active: bool

    @classmethod
    def of(cls, customer: read.Customer) -> Self:
        """The customer as whoever brought them sees them."""
        user = customer.user
        return cls(
            id=user.id,
            first_name=user.first_name,
            last_name=user.last_name,
            email=masked(user.email),
            registered_at=user.created_at,
            tier=customer.tier,
            is_active=user.is_active,
        )


def masked(email: str) -> str:
    """An address by which its owner is recognised, and nobody can write to them: `a***@example.com`."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}***@{domain}"


@router.post("/v1/referral-codes", status_code=201, dependencies=[_gives_codes])
async def make_referral_code(somebody: Somebody, db: Db, origin: RequestOrigin, cause: RequestCause) -> ReferralCodeOut:
    """Make a code: whoever registers with it is the caller's customer."""
    async with db.transaction(somebody.home_id, cause) as tx:
        return ReferralCodeOut.of(await referrals.make_code(tx, somebody.home_id, somebody.user_id, origin))


@router.get("/v1/referral-codes", dependencies=[_gives_codes])
async def list_referral_codes(
    somebody: Somebody, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]
) -> Page[ReferralCodeOut]:
    """The caller's codes, the newest first."""
    async with db.transaction(somebody.home_id) as tx:
        rows = await read.codes(tx, somebody.user_id, wanted)
    return page(rows, wanted, ReferralCodeOut.of, lambda code: Position(code.created_at, code.id))


@router.delete("/v1/referral-codes/{code_id}", status_code=204, dependencies=[_gives_codes])
async def revoke_referral_code(
    code_id: UUID, somebody: Somebody, db: Db, origin: RequestOrigin, cause: RequestCause
) -> Response:
    """Let nobody register with a code any more; whoever did stays the caller's customer."""
    async with db.transaction(somebody.home_id, cause) as tx:
        await referrals.revoke_code(tx, somebody.user_id, code_id, origin)
    return Response(status_code=204)


@router.get("/v1/customers", dependencies=[_sees_customers])
async def list_customers(
    somebody: Somebody, db: Db, wanted: Annotated[PageRequest, Depends(page_request)]
) -> Page[CustomerOut]:
    """Those who registered with a code of the caller, the newest first."""
    async with db.transaction(somebody.home_id) as tx:
        rows = await read.customers(tx, somebody.user_id, wanted)
    return page(rows, wanted, CustomerOut.of, lambda one: Position(one.user.created_at, one.user.id))
