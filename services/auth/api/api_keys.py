"""Who asked over HTTP? People who let programs act for them, and owners who look at what acts in their workspace."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv6Network, ip_network
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.pagination import Page, PageRequest, Position, page, page_request
from libs.kit.http.rate_limits import per_user
from libs.kit.http.routes import Router
from libs.kit.security import Caller, requires, requires_fresh
from libs.schema.values import UtcDatetime
from services.auth.api.fields import Name
from services.auth.api.parts import AllParts, FreshDb
from services.auth.commands import api_keys
from services.auth.commands.api_keys import Holder, Opened
from services.auth.model import PROGRAM_SCOPES, ApiKey
from services.auth.model.api_key import MAX_OVERLAP, KeyTerms
from services.auth.queries import api_keys as read

router = Router()

# What makes or widens a key is for who has just shown who they are; what ends one is for everybody at once.
Maker = Annotated[Caller, Depends(requires_fresh("api-keys:write"))]
Reader = Annotated[Caller, Depends(requires("api-keys:read"))]
Revoker = Annotated[Caller, Depends(requires("api-keys:write"))]
# Every process remembers what was revoked, for as long as tokens live.
_CHANGES = per_user("api-key-changes")


def _network(text: str) -> str:
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError("write IPv4 networks as such")
    return str(network)


NetworkText = Annotated[
    str, StringConstraints(max_length=50), AfterValidator(_network), Field(examples=["192.0.2.0/24"])
]
Networks = Annotated[list[NetworkText], Field(max_length=50)]
Scope = Annotated[str, StringConstraints(max_length=50), Field(json_schema_extra={"enum": sorted(PROGRAM_SCOPES)})]


class KeyIn(BaseModel):
    """A new key."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=50)]
    """What programs may do: nothing that the caller's role in the workspace does not allow."""
    networks: Networks = []
    """Where it may be used from; anywhere when there are none."""
    expires_at: UtcDatetime

    def terms(self) -> KeyTerms:
        """The same in the model's words."""
        return KeyTerms(self.name, frozenset(self.scopes), tuple(self.networks), self.expires_at)


class KeyChangeIn(BaseModel):
    """What is to be another; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    networks: Networks | None = None
    """Tokens that are under way keep the networks that they were issued with, for ten minutes at most."""


class RotationIn(BaseModel):
    """How long the secret before works beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: Annotated[int, Field(ge=0, le=int(MAX_OVERLAP.total_seconds()))]


class KeyOut(BaseModel):
    """A key, without its secret, which nobody knows but its holder."""

    id: UUID
    user_id: UUID
    """For whom its programs act."""
    name: str
    prefix: str
    """The `client_id` of its programs, and what its secret begins with."""
    scopes: list[str]
    networks: list[str]
    expires_at: UtcDatetime
    created_at: UtcDatetime
    last_used_at: UtcDatetime | None
    """When it was last exchanged for a token, give or take a minute."""
    last_used_from: str | None
    previous_secret_until: UtcDatetime | None
    """Until when the secret before the last rotation works."""
    revoked_at: UtcDatetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """The key as its person and the workspace's owner see it."""
        return cls(
            id=key.id,
            user_id=key.user_id,
            name=key.name,
            prefix=key.prefix,
            scopes=key.scopes,
            networks=key.networks,
            expires_at=key.expires_at,
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            last_used_from=key.last_used_from,
            previous_secret_until=key.previous_until,
            revoked_at=key.revoked_at,
        )


class OpenedKeyOut(BaseModel):
    """A key and its new secret, which is told this once."""

    key: KeyOut
    client_id: str
    client_secret: str
    """For `POST /v1/auth/token`, with the grant type `client_credentials`."""

    @classmethod
    def of(cls, opened: Opened) -> Self:
        """The only answers that hold a secret."""
        return cls(key=KeyOut.of(opened.key), client_id=opened.key.prefix, client_secret=opened.secret.text)


@router.post("/v1/api-keys", status_code=201, dependencies=[_CHANGES])
async def create_key(
    body: KeyIn, caller: Maker, db: FreshDb, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> OpenedKeyOut:
    """Let programs act for you in the workspace of your token, with less than you may do, for a year at most."""
    async with db.transaction(caller.tenant_id, cause) as tx:
        holder = Holder(caller.user_id, caller.tenant_id, origin)
        opened = await api_keys.create_key(tx, parts.key_rules, holder, body.terms())
        return OpenedKeyOut.of(opened)


@router.get("/v1/api-keys")
async def list_keys(caller: Reader, db: Db, request: Annotated[PageRequest, Depends(page_request)]) -> Page[KeyOut]:
    """Your keys for the workspace that were not revoked; everybody's if you own it."""
    async with db.transaction(caller.tenant_id) as tx:
        rows = await read.kept_keys(tx, caller.user_id, caller.tenant_id, request)
    return page(rows, request, KeyOut.of, lambda key: Position(key.created_at, key.id))


@router.get("/v1/api-keys/{key_id}")
async def show_key(key_id: UUID, caller: Reader, db: Db) -> KeyOut:
    """One of these keys, or one that was revoked."""
    async with db.transaction(caller.tenant_id) as tx:
        return KeyOut.of(await read.key(tx, caller.user_id, caller.tenant_id, key_id))


@router.patch("/v1/api-keys/{key_id}")
async def change_key(
    key_id: UUID, body: KeyChangeIn, caller: Maker, db: FreshDb, origin: RequestOrigin, cause: RequestCause
) -> KeyOut:
    """Call a key of yours something else, or let it be used from other networks."""
    networks = None if body.networks is None else tuple(body.networks)
    async with db.transaction(caller.tenant_id, cause) as tx:
        holder = Holder(caller.user_id, caller.tenant_id, origin)
        return KeyOut.of(await api_keys.describe_key(tx, holder, key_id, body.name, networks))


@router.post("/v1/api-keys/{key_id}/rotate", dependencies=[_CHANGES])
async def rotate_key(
    key_id: UUID, body: RotationIn, caller: Maker, db: FreshDb, origin: RequestOrigin, cause: RequestCause
) -> OpenedKeyOut:
    """Give a key of yours another secret; the one before works until the overlap ends, or not at all."""
    async with db.transaction(caller.tenant_id, cause) as tx:
        holder = Holder(caller.user_id, caller.tenant_id, origin)
        opened = await api_keys.rotate_key(tx, holder, key_id, timedelta(seconds=body.overlap_seconds))
        return OpenedKeyOut.of(opened)


@router.delete("/v1/api-keys/{key_id}", status_code=204, dependencies=[_CHANGES])
async def revoke_key(key_id: UUID, caller: Revoker, db: Db, origin: RequestOrigin, cause: RequestCause) -> Response:
    """Let a key work no more, nor any token that came of it: one of yours, or anybody's if you own the workspace."""
    async with db.transaction(caller.tenant_id, cause) as tx:
        await api_keys.revoke_key(tx, Holder(caller.user_id, caller.tenant_id, origin), key_id)
    return Response(status_code=204)
