"""What happens to second factors? People set them up, replace them and take them away, and are told of it."""

from __future__ import annotations

from libs.kit.acts import Origin
from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Tx
from libs.kit.errors import Conflict, Invalid, NotFound
from libs.schema.auth import MailTemplate
from services.auth.commands.acts import tell_of_user
from services.auth.commands.mails import write_to
from services.auth.commands.onboarding import note_steps
from services.auth.commands.proofs import factors_of
from services.auth.model import STAFF, KeptRecoveryCode, Totp, User
from services.auth.model.onboarding import StepName
from services.auth.recovery import RecoveryCode, new_codes
from services.auth.repository import second_factors
from services.auth.totp import Taken, new_secret


async def offer_totp(tx: Tx, encryption: Encryption, user: User) -> bytes:
    """A secret for a person's application, which counts once they confirm it; one that was offered before is gone.

    Raises Forbidden before their address is proved, as all that adds a factor does.
    """
    user.refuse_unproved()
    await second_factors.delete_waiting(tx, user.id)
    secret = new_secret()
    ring = await encryption.keyring(tx, user.default_workspace_id)
    tx.add(Totp.offered(user.default_workspace_id, user.id, secret, ring))
    return secret


async def confirm_totp(
    tx: Tx, encryption: Encryption, user: User, code: str, origin: Origin
) -> tuple[RecoveryCode, ...]:
    """Take codes of the application that was offered, and of no other, from now on; gives recovery codes to who has none.

    Raises NotFound when none was offered, and Invalid when the code is not what it shows.
    """
    user.refuse_unproved()
    ring = await encryption.keyring(tx, user.default_workspace_id)
    totp = await second_factors.lock_waiting(tx, user.id)
    if totp is None:
        raise NotFound("authenticator application", "that waits to be confirmed")
    if totp.take(code, ring, tx.now) is not Taken.RIGHT:
        raise Invalid("/code", "is not what the application shows now: is its clock right?", slug="wrong-code")
    await second_factors.delete_confirmed(tx, user.id)
    totp.confirmed_at = tx.now
    return await note_added(tx, user, "totp.confirmed", origin)


async def note_added(tx: Tx, user: User, act: str, origin: Origin) -> tuple[RecoveryCode, ...]:
    """What follows from a new second factor of a person, whose row `tx` has locked; recovery codes if they have none."""
    await tx.flush()
    await note_steps(tx, user.default_workspace_id, user.id, (StepName.SECOND_FACTOR,))
    tell_of_change(tx, user, act, origin)
    if await second_factors.count_recovery_codes(tx, user.id):
        return ()
    return await _new_codes(tx, user)


async def remove_totp(tx: Tx, user: User, origin: Origin) -> None:
    """Take no codes any more. Raises NotFound, and Conflict for the last factor of who has to have one."""
    if not await second_factors.delete_confirmed(tx, user.id):
        raise NotFound("authenticator application", "of yours")
    await note_removed(tx, user, "totp.removed", origin)


async def note_removed(tx: Tx, user: User, act: str, origin: Origin) -> None:
    """What follows when a second factor is gone. Raises Conflict when its person has to have one, and has none left."""
    await tx.flush()
    if not await factors_of(tx, user):
        if await is_demanded(tx, user):
            raise Conflict("you need a second factor, and this is your last one", slug="second-factor-needed")
        await second_factors.delete_recovery_codes(tx, user.id)
    tell_of_change(tx, user, act, origin)


async def renew_recovery_codes(tx: Tx, user: User, origin: Origin) -> tuple[RecoveryCode, ...]:
    """A new set; the old codes work no more. Raises NotFound when there is no second factor that they stand in for."""
    user.refuse_unproved()
    if not await factors_of(tx, user):
        raise NotFound("second factor", "of yours that recovery codes could stand in for")
    codes = await _new_codes(tx, user)
    tell_of_change(tx, user, "recovery_codes.renewed", origin)
    return codes


async def _new_codes(tx: Tx, user: User) -> tuple[RecoveryCode, ...]:
    await second_factors.delete_recovery_codes(tx, user.id)
    codes = new_codes()
    tx.add(*(KeptRecoveryCode.of(user.default_workspace_id, user.id, code) for code in codes))
    return codes


async def is_demanded(tx: Tx, user: User) -> bool:
    """Whether a person has to have a second factor: as staff, or as a member of some workspace."""
    return user.platform_role in STAFF or await second_factors.is_demanded_anywhere(tx, user.id)


def tell_of_change(tx: Tx, user: User, act: str, origin: Origin) -> None:
    """Let a person, whose row `tx` has locked, and their trail hear of it."""
    write_to(tx, user, MailTemplate.SECOND_FACTOR_CHANGED)
    tell_of_user(tx, act, user, origin)
