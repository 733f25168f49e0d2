"""Who asked over HTTP? People who want to know who they are here."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from libs.kit.http.app import Db
from libs.kit.security import Caller, authenticated
from services.auth.model import PlatformRole, Role
from services.auth.queries import people, tiers

router = APIRouter()


class WorkspaceOut(BaseModel):
    """A workspace and what the caller is in it."""

    id: UUID
    name: str
    role: Role


class MeOut(BaseModel):
    """The caller."""

    user_id: UUID
    email: str
    first_name: str | None
    last_name: str | None
    email_verified: bool
    platform_role: PlatformRole
    workspace: WorkspaceOut
    tier: str | None
    """The plan that the workspace is on; null in the moments before billing has said it."""
    scopes: list[str]
    """What this token allows."""

    @classmethod
    def of(cls, profile: people.Profile, tier: str | None, caller: Caller) -> Self:
        """The caller as they see themselves."""
        user = profile.user
        return cls(
            user_id=user.id,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            email_verified=user.email_verified,
            platform_role=PlatformRole(user.platform_role),
            workspace=WorkspaceOut(id=profile.workspace.id, name=profile.workspace.name, role=profile.role),
            tier=tier,
            scopes=sorted(caller.scopes),
        )


@router.get("/v1/me")
async def me(caller: Annotated[Caller, Depends(authenticated)], db: Db) -> MeOut:
    """The caller, and the workspace that their token is for."""
    async with db.transaction(caller.tenant_id) as tx:
        profile = await people.profile(tx, caller.user_id, caller.tenant_id)
        return MeOut.of(profile, await tiers.tier(tx, caller.tenant_id), caller)
