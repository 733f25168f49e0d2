"""Who asked over HTTP? People who make, name and remove passkeys."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict

from libs.kit.errors import Rejected
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.routes import Router
from libs.schema.values import UtcDatetime
from services.auth.api.fields import Name, PresentedToken
from services.auth.api.parts import AllParts, FreshDb, FreshSomebody, Somebody
from services.auth.commands import passkeys
from services.auth.model import Passkey
from services.auth.model.challenge import LIFETIME
from services.auth.passkeys import CreationOptions, RegistrationAnswer
from services.auth.queries import second_factors as read
from services.auth.repository.users import lock_user
from services.auth.tokens import Ticket

router = Router()


class CreationOut(BaseModel):
    """What a browser makes a passkey with."""

    challenge: str
    """To be sent with what it made."""
    expires_in: int
    """Seconds that the person has to make it."""
    options: CreationOptions


class NewPasskeyIn(BaseModel):
    """What a browser made, and what the person calls it."""

    model_config = ConfigDict(extra="forbid")

    challenge: PresentedToken
    credential: RegistrationAnswer
    name: Name = "Passkey"


class PasskeyNameIn(BaseModel):
    """What the person calls it from now on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Telephone"}]})

    name: Name


class PasskeyOut(BaseModel):
    """A passkey as its person sees it."""

    id: UUID
    name: str
    synchronised: bool
    """Whether it is kept on several devices."""
    created_at: UtcDatetime
    last_used_at: UtcDatetime | None

    @classmethod
    def of(cls, passkey: Passkey) -> Self:
        """The passkey, without its key."""
        return cls(
            id=passkey.id,
            name=passkey.name,
            synchronised=passkey.backed_up,
            created_at=passkey.created_at,
            last_used_at=passkey.last_used_at,
        )


class PasskeysOut(BaseModel):
    """All of a person's passkeys, the oldest first."""

    items: list[PasskeyOut]


class AddedPasskeyOut(PasskeyOut):
    """A passkey that was just added."""

    recovery_codes: list[str]
    """To be written down; empty when those that were shown before still work."""


@router.post("/v1/me/passkey-options")
async def begin_passkey(somebody: FreshSomebody, db: FreshDb, parts: AllParts, cause: RequestCause) -> CreationOut:
    """How to make a passkey: for `navigator.credentials.create`."""
    async with db.transaction(somebody.home_id, cause) as tx:
        user = await lock_user(tx, somebody.user_id)
        ticket, options = await passkeys.begin(tx, parts.entrance.proving.party, user)
    return CreationOut(challenge=str(ticket), expires_in=int(LIFETIME.total_seconds()), options=options)


@router.post("/v1/me/passkeys", status_code=201)
async def add_passkey(
    body: NewPasskeyIn,
    somebody: FreshSomebody,
    db: FreshDb,
    parts: AllParts,
    origin: RequestOrigin,
    cause: RequestCause,
) -> AddedPasskeyOut:
    """Log in with a passkey from now on, too."""
    made = passkeys.Made(Ticket.parse(body.challenge.get_secret_value()), body.credential, body.name)
    async with db.transaction(somebody.home_id, cause) as tx:
        added = await passkeys.add(tx, parts.entrance.proving, somebody.user_id, made, origin)
    if isinstance(added, Rejected):
        raise added
    shown = PasskeyOut.of(added.passkey)
    return AddedPasskeyOut(**shown.model_dump(), recovery_codes=[str(code) for code in added.codes])


@router.get("/v1/me/passkeys")
async def list_passkeys(somebody: Somebody, db: Db) -> PasskeysOut:
    """The caller's passkeys."""
    async with db.transaction(somebody.home_id) as tx:
        return PasskeysOut(items=[PasskeyOut.of(one) for one in await read.passkeys(tx, somebody.user_id)])


@router.patch("/v1/me/passkeys/{passkey_id}")
async def rename_passkey(
    passkey_id: UUID, body: PasskeyNameIn, somebody: Somebody, db: Db, cause: RequestCause
) -> PasskeyOut:
    """Call a passkey something else."""
    async with db.transaction(somebody.home_id, cause) as tx:
        return PasskeyOut.of(await passkeys.rename(tx, somebody.user_id, passkey_id, body.name))


@router.delete("/v1/me/passkeys/{passkey_id}", status_code=204)
async def remove_passkey(
    passkey_id: UUID, somebody: FreshSomebody, db: FreshDb, origin: RequestOrigin, cause: RequestCause
) -> Response:
    """Take no answers of a passkey any more; 409 when it is the last factor of somebody who has to have one."""
    async with db.transaction(somebody.home_id, cause) as tx:
        await passkeys.remove(tx, somebody.user_id, passkey_id, origin)
    return Response(status_code=204)
