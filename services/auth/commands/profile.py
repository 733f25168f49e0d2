"""What happens to a profile? The person changes it, and others hear of what concerns them."""

from __future__ import annotations

from uuid import UUID

from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Tx
from services.auth.commands import kyc, onboarding
from services.auth.model import Profile
from services.auth.model.onboarding import StepName
from services.auth.model.particulars import Particulars, ParticularsPatch, tells_of_risk, tells_of_the_person
from services.auth.repository import own_rows


async def change_profile(
    tx: Tx, encryption: Encryption, home_id: UUID, user_id: UUID, patch: ParticularsPatch
) -> Particulars:
    """Change what the patch names, in the person's home workspace. Raises Invalid for too large preferences."""
    keyring = await encryption.keyring(tx, home_id)
    profile = await own_rows.lock(tx, Profile.unsaid(home_id, user_id))
    before = profile.open(keyring)
    after = before.patched(patch)
    tx.publish(profile, *profile.change(after, keyring, tx.now))
    if not before.names_same_person(after):
        await kyc.change_identifier(tx, home_id, user_id)
    await onboarding.note_steps(tx, home_id, user_id, _steps_done_by(patch))
    return after


def _steps_done_by(patch: ParticularsPatch) -> tuple[StepName, ...]:
    said = {StepName.PROFILE: tells_of_the_person(patch), StepName.RISK: tells_of_risk(patch)}
    return tuple(step for step, done in said.items() if done)
