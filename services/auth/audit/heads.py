"""What is a chain's head, and who vouches for it? The last entry's number and hash, signed with the installation's key.

A signed head is a compact JWS (RFC 7515) of canonical JSON. Its type keeps it from being taken for an access token. Each
names the one before, so that none can be left out unseen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from libs.kit.security import ALGORITHM
from services.auth.audit.canonical import Json, canonical
from services.auth.audit.chain import Broken
from services.auth.keys import key_id

HEAD_TYPE = "fillstream-audit-head"


@dataclass(frozen=True, slots=True)
class Head:
    """How far a workspace's chain goes."""

    workspace_id: UUID
    sequence: int
    hash: bytes
    previous: int | None = None
    """The number of the head that was told before it, 0 for the first; None for one that is told to nobody else."""


class HeadForged(ValueError):
    """What was told as a head is none that our keys have signed."""


def sign_head(key: OKPKey, head: Head) -> str:
    """The head as a compact JWS."""
    claims: dict[str, Json] = {
        "workspace_id": str(head.workspace_id), "sequence": head.sequence, "hash": head.hash.hex(),
    }  # fmt: skip
    payload = canonical(claims if head.previous is None else claims | {"previous": head.previous})
    header = {"alg": ALGORITHM, "typ": HEAD_TYPE, "kid": key_id(key)}
    return jws.serialize_compact(header, payload, key, algorithms=[ALGORITHM])


def open_head(signed: str, keys: KeySet) -> Head:
    """The head that one of the keys has signed. Raises HeadForged."""
    try:
        opened = jws.deserialize_compact(signed, keys, algorithms=[ALGORITHM])
        claims = json.loads(opened.payload)
        previous = claims.get("previous")
        head = Head(
            UUID(claims["workspace_id"]),
            int(claims["sequence"]),
            bytes.fromhex(claims["hash"]),
            None if previous is None else int(previous),
        )
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise HeadForged("the head is not signed with a key of this installation") from error
    if opened.headers().get("typ") != HEAD_TYPE:
        raise HeadForged("what is signed is no head of a chain")
    return head


@dataclass
class ToldHeads:
    """Goes along the heads that were told of a workspace's chain, in their order. The oldest may have been let go."""

    workspace_id: UUID
    first_needs: int = 0
    """The number of the head that was told before the first that is there; 0 when there was none."""
    last: int = 0
    """The number of the last one; 0 before the first."""

    def take(self, head: Head) -> Broken | None:
        """Take the next head; what is wrong with it, or None."""
        if head.workspace_id != self.workspace_id:
            return Broken(head.sequence, f"has the head of the workspace {head.workspace_id}")
        if head.sequence <= self.last:
            return Broken(head.sequence, f"has a head that was told after that of entry {self.last}")
        if not self.last:
            self.first_needs = head.previous or 0
        elif head.previous not in {None, self.last}:
            return _lost(head.previous or 0)
        self.last = head.sequence
        return None

    def end(self, signed: int, kept_from: int) -> Broken | None:
        """Which head is missing where they begin or end, or None.

        `signed` is the last that the chain says was told; heads of entries before `kept_from` may have been let go.
        """
        if self.first_needs >= max(kept_from, 1):
            return _lost(self.first_needs)
        return _lost(signed) if signed > self.last and signed >= kept_from else None


def _lost(sequence: int) -> Broken:
    return Broken(sequence, "has lost its head: it was signed and told, and is no longer kept")
