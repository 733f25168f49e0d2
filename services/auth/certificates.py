"""What does the certificate of an erasure say? What is gone and what was kept, by which law and until when, signed.

A compact JWS (RFC 7515) of canonical JSON, by the installation's signing key. It names nobody but by ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from joserfc import jws
from joserfc.jwk import OKPKey
from pydantic import BaseModel

from libs.kit.security import ALGORITHM
from libs.schema.privacy import HeldRows, KeptRows
from libs.schema.values import UtcDatetime
from services.auth.audit.canonical import canonical
from services.auth.keys import key_id
from services.auth.model import Erasure, ErasureAnswer

CERTIFICATE_TYPE = "fillstream-erasure-certificate"


class ContextErased(BaseModel):
    """What one context did."""

    context: str
    answered_at: UtcDatetime
    erased: list[HeldRows]
    kept: list[KeptRows]


_NOT_COVERED = (
    "Backups of the database, which hold what was there until the operator of this installation lets them go, "
    "and mails that were sent."
)


class Certificate(BaseModel):
    """What is certified."""

    erasure_id: str
    user_id: str
    workspace_id: str
    requested_at: UtcDatetime
    erased_at: UtcDatetime
    certified_at: UtcDatetime
    contexts: list[ContextErased]
    not_covered: str = _NOT_COVERED
    """What no program of this installation can reach."""


def certificate_of(erasure: Erasure, answers: Sequence[ErasureAnswer], at: datetime) -> Certificate:
    """What is certified of an erasure that every context has answered."""
    if erasure.erased_at is None:
        raise ValueError("nothing is certified of somebody who was not erased")
    return Certificate(
        erasure_id=str(erasure.id),
        user_id=str(erasure.user_id),
        workspace_id=str(erasure.tenant_id),
        requested_at=erasure.created_at,
        erased_at=erasure.erased_at,
        certified_at=at,
        contexts=[ContextErased.model_validate(one, from_attributes=True) for one in answers],
    )


def sign_certificate(key: OKPKey, erasure: Erasure, answers: Sequence[ErasureAnswer], at: datetime) -> str:
    """The certificate as a compact JWS."""
    payload = canonical(certificate_of(erasure, answers, at).model_dump(mode="json"))
    header = {"alg": ALGORITHM, "typ": CERTIFICATE_TYPE, "kid": key_id(key)}
    return jws.serialize_compact(header, payload, key, algorithms=[ALGORITHM])
