"""What happens to somebody's proof of who they are? It is handed in, decided on, and grows old.

Locks are taken in one order everywhere: a person's profile, then their KYC, then their onboarding.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from libs.kit.acts import Act, Actor, Target, tell_act
from libs.kit.db import Tx
from services.auth.commands import onboarding
from services.auth.model import Kyc
from services.auth.model.kyc import Decision, Document
from services.auth.model.onboarding import StepName
from services.auth.repository import own_rows, verifications

MAX_EXPIRIES = 500


async def submit(tx: Tx, home_id: UUID, user_id: UUID, documents: Sequence[Document]) -> Kyc:
    """Hand in what is to show who somebody is. Raises Conflict while a submission waits or a verification holds."""
    kyc = await own_rows.lock(tx, Kyc.unsaid(home_id, user_id))
    tx.publish(kyc, *kyc.submit(documents, tx.now))
    await onboarding.note_steps(tx, home_id, user_id, (StepName.KYC,))
    return kyc


async def decide(tx: Tx, home_id: UUID, user_id: UUID, submission: int, decision: Decision, by: Actor) -> Kyc:
    """Let staff verify or reject a submission of somebody else.

    Raises Forbidden when it is their own, and Conflict when it is not waiting.
    """
    kyc = await own_rows.lock(tx, Kyc.unsaid(home_id, user_id))
    if by.id is None:
        raise ValueError("a decision is somebody's")
    tx.publish(kyc, *kyc.decide(submission, decision, by.id, tx.now))
    tell_act(
        tx, home_id, Act("kyc.decided", by, Target("user", user_id), reason=f"submission {submission}: {kyc.state}")
    )
    return kyc


async def change_identifier(tx: Tx, home_id: UUID, user_id: UUID) -> None:
    """A person's national identifiers are others now; whoever holds the profile's lock says so."""
    kyc = await own_rows.lock(tx, Kyc.unsaid(home_id, user_id))
    tx.publish(kyc, *kyc.change_identifier(tx.now))


async def expire_verifications(tx: Tx, now: datetime) -> int:
    """Let up to MAX_EXPIRIES verifications that are over by `now` count no more; gives how many.

    Needs a worker's transaction.
    """
    expired = await verifications.lock_expired(tx, now, MAX_EXPIRIES)
    for kyc in expired:
        tx.publish(kyc, *kyc.expire(now))
    return len(expired)
