"""Who asked over HTTP? People who register."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.ids import uuid7
from services.auth.api.fields import A_PERSON, Email, Name, NewPassword
from services.auth.api.parts import HowPasswords
from services.auth.commands import registration
from services.auth.repository.users import NewUser

router = APIRouter()


class RegisterIn(BaseModel):
    """A person and, if they like, names."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [A_PERSON | {"first_name": "Ada"}]})

    email: Email
    password: NewPassword
    first_name: Name | None = None
    last_name: Name | None = None
    workspace_name: Name | None = None


class RegisteredOut(BaseModel):
    """Who registered, and their workspace."""

    user_id: UUID
    workspace_id: UUID


@router.post("/v1/auth/register", status_code=201)
async def register(
    body: RegisterIn, db: Db, passwords: HowPasswords, cause: RequestCause, origin: RequestOrigin
) -> RegisteredOut:
    """Make a user and a personal workspace."""
    # No connection is held while a thread hashes.
    password_hash = await passwords.hash(body.password.get_secret_value())
    new = NewUser(body.email, password_hash, body.first_name, body.last_name)
    workspace_id = uuid7()
    async with db.transaction(workspace_id, cause) as tx:
        workspace = await registration.register(tx, new, workspace_id, body.workspace_name, origin)
        return RegisteredOut(user_id=workspace.owner_id, workspace_id=workspace.id)
