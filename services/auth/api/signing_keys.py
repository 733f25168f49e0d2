"""Who asked over HTTP? Services that fetch the public keys."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from libs.kit.http.app import Db
from services.auth.api.parts import AllParts
from services.auth.commands import signing_keys

router = APIRouter()


class JwksOut(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, str]]


@router.get("/.well-known/jwks.json")
async def jwks(db: Db, parts: AllParts) -> JwksOut:
    """The public keys that access tokens are checked with."""
    async with db.public() as tx:
        return JwksOut(keys=await signing_keys.public_keys(tx, parts.issuing))
