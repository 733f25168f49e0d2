"""What can be read of a person? What they said of themselves, where their KYC stands, how far they have come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Tx
from services.auth.model import Kyc, OnboardingProgress, Profile
from services.auth.model.particulars import Particulars
from services.auth.repository import own_rows


@dataclass(frozen=True, slots=True)
class Applicant:
    """Somebody's KYC, and the particulars that it is about."""

    kyc: Kyc
    particulars: Particulars
    looked_at: datetime


async def particulars(tx: Tx, encryption: Encryption, home_id: UUID, user_id: UUID) -> Particulars:
    """What a person said of themselves, in the open; what nobody chose where they never did."""
    # Whoever holds a keyring keeps a rotation from destroying the key of what is read next.
    ring = await encryption.keyring(tx, home_id)
    profile = await own_rows.find(tx, Profile, user_id)
    return Particulars() if profile is None else profile.open(ring)


async def kyc(tx: Tx, home_id: UUID, user_id: UUID) -> Kyc:
    """Where a person's proof of who they are stands."""
    return await own_rows.find(tx, Kyc, user_id) or Kyc.unsaid(home_id, user_id)


async def applicant(tx: Tx, encryption: Encryption, home_id: UUID, user_id: UUID) -> Applicant:
    """What staff decide on.

    The submission is read before what it is about: whatever changes in between makes the decision on it stale.
    """
    handed_in = await kyc(tx, home_id, user_id)
    return Applicant(handed_in, await particulars(tx, encryption, home_id, user_id), tx.now)


async def onboarding(tx: Tx, home_id: UUID, user_id: UUID) -> OnboardingProgress:
    """How far a person has come."""
    return await own_rows.find(tx, OnboardingProgress, user_id) or OnboardingProgress.unbegun(home_id, user_id)
