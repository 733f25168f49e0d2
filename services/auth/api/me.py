"""Who asked over HTTP? People who want to know who they are here, and to say more of themselves."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from libs.kit.errors import NotFound
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.routes import Router
from libs.schema.values import UtcDatetime
from services.auth.api.fields import Name
from services.auth.api.parts import InPerson, Somebody, known
from services.auth.commands import people
from services.auth.contact import AvatarUrl, Language, Phone, TimeZone, Username
from services.auth.model import PlatformRole, Role, User
from services.auth.queries import people as read
from services.auth.repository.users import lock_user

router = Router()

MAX_PREFERENCES = 50
MAX_PREFERENCES_BYTES = 16_384


def _bounded(preferences: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if len(json.dumps(preferences).encode()) > MAX_PREFERENCES_BYTES:
        raise ValueError(f"are more than {MAX_PREFERENCES_BYTES} bytes of JSON")
    return preferences


Preferences = Annotated[
    dict[Annotated[str, Field(max_length=100)], JsonValue], Field(max_length=MAX_PREFERENCES), AfterValidator(_bounded)
]


class WorkspaceOut(BaseModel):
    """A workspace and what the caller is in it."""

    id: UUID
    name: str
    role: Role


class DetailsIn(BaseModel):
    """What a person says of themselves. A field that is left out stays as it is; null takes it away."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"username": "ada", "time_zone": "Europe/London"}]}
    )

    username: Username | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    avatar_url: AvatarUrl | None = None
    phone_number: Phone | None = None
    time_zone: TimeZone = "UTC"
    language: Language = "en"
    preferences: Preferences = {}
    """Whatever a client wants to remember for the person: replaced whole."""


class PersonOut(BaseModel):
    """A person as they see themselves."""

    user_id: UUID
    email: str
    email_verified: bool
    username: str | None
    first_name: str | None
    last_name: str | None
    avatar_url: str | None
    phone_number: str | None
    time_zone: str
    language: str
    preferences: dict[str, JsonValue]
    platform_role: PlatformRole
    is_active: bool
    last_login_at: UtcDatetime | None
    password_changed_at: UtcDatetime | None
    created_at: UtcDatetime
    updated_at: UtcDatetime

    @classmethod
    def of(cls, user: User) -> Self:
        """The person, without anything secret."""
        return cls(
            user_id=user.id,
            email=user.email,
            email_verified=user.email_verified,
            username=user.username,
            first_name=user.first_name,
            last_name=user.last_name,
            avatar_url=user.avatar_url,
            phone_number=user.phone_number,
            time_zone=user.time_zone,
            language=user.language,
            preferences=user.preferences,
            platform_role=PlatformRole(user.platform_role),
            is_active=user.is_active,
            last_login_at=user.last_login_at,
            password_changed_at=user.password_changed_at,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )


class MeOut(PersonOut):
    """The caller, here."""

    workspace: WorkspaceOut
    tier: str | None
    """The plan that the workspace is on; null in the moments before billing has said it."""
    scopes: list[str]
    """What this token allows."""
    second_factor_required: bool
    """Whether the caller's role or this workspace allows less without a second factor: set one up, and log in with it."""


@router.get("/v1/me")
async def me(caller: InPerson, db: Db) -> MeOut:
    """The caller, and the workspace that their token is for."""
    async with db.transaction(caller.tenant_id) as tx:
        profile = await read.profile(tx, caller.user_id, caller.tenant_id)
        if profile is None:
            await known(tx, caller)
            raise NotFound("workspace", caller.tenant_id)
        workspace = WorkspaceOut(id=profile.workspace.id, name=profile.workspace.name, role=profile.role)
        person = PersonOut.of(profile.user)
    return MeOut(
        **person.model_dump(),
        workspace=workspace,
        tier=profile.tier,
        scopes=sorted(caller.scopes),
        second_factor_required=profile.second_factor_required,
    )


@router.patch("/v1/me")
async def describe(body: DetailsIn, somebody: Somebody, db: Db, cause: RequestCause) -> PersonOut:
    """Say something else of oneself."""
    said = {name: getattr(body, name) for name in body.model_fields_set}
    async with db.transaction(somebody.home_id, cause) as tx:
        user = await lock_user(tx, somebody.user_id)
        await people.describe(tx, user, replace(user.details(), **said))
        return PersonOut.of(user)
