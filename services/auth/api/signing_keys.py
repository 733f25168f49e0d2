"""Who asked over HTTP? Services and auditors that fetch the public keys."""

from __future__ import annotations

from pydantic import BaseModel

from libs.kit.http.app import Db
from libs.kit.http.routes import Router
from services.auth.api.parts import AllParts
from services.auth.commands import signing_keys

router = Router()


class JwksOut(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, str]]


@router.get("/.well-known/jwks.json")
async def jwks(db: Db, parts: AllParts) -> JwksOut:
    """The public keys that access tokens are checked with."""
    async with db.public() as tx:
        return JwksOut(keys=await signing_keys.public_keys(tx, parts.issuing))


@router.get("/.well-known/audit-keys.json")
async def audit_keys(db: Db) -> JwksOut:
    """The public keys that heads of audit trails are checked with: all that ever signed, for heads outlive their keys.

    Not for access tokens: a key that has retired signs none.
    """
    async with db.public() as tx:
        return JwksOut(keys=await signing_keys.every_public_key(tx))
