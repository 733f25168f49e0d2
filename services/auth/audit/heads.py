"""What is a chain's head, and who vouches for it? The last entry's number and hash, signed with the installation's key.

A signed head is a compact JWS (RFC 7515) of canonical JSON. Its type keeps it from being taken for an access token.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from libs.kit.security import ALGORITHM
from services.auth.audit.canonical import canonical
from services.auth.keys import key_id

HEAD_TYPE = "fillstream-audit-head"


@dataclass(frozen=True, slots=True)
class Head:
    """How far a workspace's chain goes."""

    workspace_id: UUID
    sequence: int
    hash: bytes


class HeadForged(ValueError):
    """What was told as a head is none that our keys have signed."""


def sign_head(key: OKPKey, head: Head) -> str:
    """The head as a compact JWS."""
    payload = canonical({"workspace_id": str(head.workspace_id), "sequence": head.sequence, "hash": head.hash.hex()})
    header = {"alg": ALGORITHM, "typ": HEAD_TYPE, "kid": key_id(key)}
    return jws.serialize_compact(header, payload, key, algorithms=[ALGORITHM])


def open_head(signed: str, keys: KeySet) -> Head:
    """The head that one of the keys has signed. Raises HeadForged."""
    try:
        opened = jws.deserialize_compact(signed, keys, algorithms=[ALGORITHM])
        claims = json.loads(opened.payload)
        head = Head(UUID(claims["workspace_id"]), int(claims["sequence"]), bytes.fromhex(claims["hash"]))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise HeadForged("the head is not signed with a key of this installation") from error
    if opened.headers().get("typ") != HEAD_TYPE:
        raise HeadForged("what is signed is no head of a chain")
    return head
