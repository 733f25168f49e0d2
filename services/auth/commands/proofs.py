"""Does what somebody shows prove that they are the person? A code is used up; a passkey remembers its use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import TypeAlias

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Tx
from libs.kit.errors import Unauthenticated
from libs.schema.audit import ActorKind, ActResult
from libs.schema.auth import MailTemplate
from services.auth.commands.acts import tell_of_user
from services.auth.commands.mails import Mailing, write_to
from services.auth.model import Factor, Method, User
from services.auth.passkeys import (
    AuthenticationAnswer,
    AuthenticationRefused,
    PasskeyChanged,
    PasskeyCloned,
    RelyingParty,
    verify_authentication,
)
from services.auth.recovery import RecoveryCode
from services.auth.repository import second_factors
from services.auth.totp import STANDARD, Taken, plain_digits


@dataclass(frozen=True, slots=True)
class Proving:
    """How this installation checks second factors."""

    encryption: Encryption
    party: RelyingParty
    mailing: Mailing


@dataclass(frozen=True, slots=True)
class ShownCode:
    """What somebody typed: a one-time password or a recovery code."""

    text: str = field(repr=False)

    @property
    def digits(self) -> str | None:
        """The one-time password, which can be guessed; None for all else, which can at most be a recovery code."""
        digits = plain_digits(self.text)
        return digits if digits.isascii() and digits.isdigit() and len(digits) == STANDARD.digits else None


@dataclass(frozen=True, slots=True)
class ShownPasskey:
    """What a passkey answered, and what it was asked; None when it was asked nothing, or has answered before."""

    answer: AuthenticationAnswer
    question: bytes | None


Shown: TypeAlias = ShownCode | ShownPasskey


class NotDone(Enum):
    """Why somebody has not shown who they are."""

    SPENT = auto()
    """The challenge is not known, or no longer: the login has to begin anew."""
    WRONG = auto()
    """What was shown proves nothing, or its person may not log in."""
    USED = auto()
    """The person's application did show the code, but it or a later one was used."""
    CHANGED = auto()
    """The person's passkey says of itself what it did not when it was added."""

    @property
    def is_mistake(self) -> bool:
        """Whether only who has the factor can show this: it is no guess, and counts as none."""
        return self in {NotDone.USED, NotDone.CHANGED}


_TAKEN: Mapping[Taken, NotDone] = MappingProxyType({Taken.USED: NotDone.USED, Taken.WRONG: NotDone.WRONG})


async def factors_of(tx: Tx, user: User) -> tuple[Factor, ...]:
    """What a person can show beside their password; empty when they have no second factor."""
    has = await second_factors.kinds(tx, user.id)
    if not has.totp and not has.passkey:
        return ()
    ways = {Factor.TOTP: has.totp, Factor.PASSKEY: has.passkey, Factor.RECOVERY_CODE: has.recovery_code}
    return tuple(factor for factor, there in ways.items() if there)


async def prove(tx: Tx, how: Proving, user: User, shown: Shown, origin: Origin) -> tuple[Method, ...] | NotDone:
    """In which ways a person, whose row `tx` has locked, has shown who they are by this, or why it proves nothing."""
    if isinstance(shown, ShownPasskey):
        return await _prove_by_passkey(tx, how, user, shown, origin)
    if shown.digits is None:
        taken = Taken.RIGHT if await _use_recovery_code(tx, user, shown.text, origin) else Taken.WRONG
    else:
        taken = await _take_one_time_password(tx, how, user, shown.digits)
    return _TAKEN.get(taken, (Method.ONE_TIME_PASSWORD,))


async def _take_one_time_password(tx: Tx, how: Proving, user: User, digits: str) -> Taken:
    # Whoever holds a keyring keeps a rotation from destroying the key of what is read next.
    ring = await how.encryption.keyring(tx, user.default_workspace_id)
    totp = await second_factors.lock_confirmed(tx, user.id)
    return Taken.WRONG if totp is None else totp.take(digits, ring, tx.now)


async def _use_recovery_code(tx: Tx, user: User, text: str, origin: Origin) -> bool:
    try:
        code = RecoveryCode.parse(text)
    except Unauthenticated:
        return False
    kept = {one.digest: one for one in await second_factors.lock_recovery_codes(tx, user.id)}
    digest = code.among(user.id, kept)
    if digest is None:
        return False
    kept[digest].used_at = tx.now
    write_to(tx, user, MailTemplate.RECOVERY_CODE_USED)
    tell_of_user(tx, "recovery_code.used", user, origin)
    return True


async def _prove_by_passkey(
    tx: Tx, how: Proving, user: User, shown: ShownPasskey, origin: Origin
) -> tuple[Method, ...] | NotDone:
    passkey = await second_factors.lock_by_credential(tx, user.id, shown.answer.credential_id)
    if passkey is None or shown.question is None:
        return NotDone.WRONG
    try:
        used = verify_authentication(how.party, shown.question, passkey.known, shown.answer)
    except (PasskeyCloned, PasskeyChanged) as error:
        actor, target = Actor(ActorKind.USER, origin=origin), Target("passkey", passkey.id)
        tell_act(
            tx, user.default_workspace_id, Act("passkey.used", actor, target, ActResult.REFUSED, error.reason.value)
        )
        return NotDone.CHANGED if isinstance(error, PasskeyChanged) else NotDone.WRONG
    except AuthenticationRefused:
        return NotDone.WRONG
    passkey.use(used, tx.now)
    # It is held by its person and has checked them: two factors by itself (NIST SP 800-63B, 5.1.9).
    return Method.PROOF_OF_POSSESSION, Method.MULTIPLE_FACTORS
