"""What happens to passkeys? They are asked for, added, named, used and removed."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.kit.errors import Conflict, NotFound
from services.auth.commands.challenges import Held, ask_passkey, hold, pose
from services.auth.commands.proofs import Proving
from services.auth.commands.second_factors import note_added, note_removed
from services.auth.model import Ask, Passkey, User
from services.auth.model.passkey import MOST, owner
from services.auth.passkeys import (
    CreationOptions,
    NewPasskey,
    RegistrationAnswer,
    RegistrationRefused,
    RelyingParty,
    RequestOptions,
    authentication_options,
    registration_options,
    verify_registration,
)
from services.auth.recovery import RecoveryCode
from services.auth.repository import second_factors, users
from services.auth.tokens import Ticket


@dataclass(frozen=True, slots=True)
class Added:
    """A new passkey, and recovery codes for who had none."""

    passkey: Passkey
    codes: tuple[RecoveryCode, ...]


async def begin(tx: Tx, party: RelyingParty, user: User) -> tuple[Ticket, CreationOptions]:
    """How to make a passkey for a person, whose row `tx` has locked.

    Raises Forbidden before their address is proved, and Conflict when they have enough.
    """
    user.refuse_unproved()
    kept = await second_factors.passkeys(tx, user.id)
    if len(kept) >= MOST:
        raise Conflict(f"you have {MOST} passkeys: remove one first", slug="too-many-passkeys")
    posed = await pose(tx, user, Ask.PASSKEY_REGISTRATION)
    whose = owner(user.id, user.email, user.first_name)
    question = ask_passkey(posed.challenge)
    return posed.ticket, registration_options(party, whose, question, [one.known for one in kept])


@dataclass(frozen=True, slots=True)
class Made:
    """What a browser made of a challenge, and what its person calls it."""

    challenge: Ticket
    answer: RegistrationAnswer
    name: str


async def add(tx: Tx, how: Proving, user_id: UUID, made: Made, origin: Origin) -> Added | RegistrationRefused:
    """Keep the passkey that was made. Whatever the answer, the challenge is spent: the caller commits before it refuses.

    Raises NotFound when no challenge waits, Forbidden before the address is proved, and Conflict when the passkey is
    somebody's already.
    """
    held = await hold(tx, made.challenge, Ask.PASSKEY_REGISTRATION)
    if held is None or held.user.id != user_id:
        raise NotFound("question to a passkey", "that waits for this answer")
    held.user.refuse_unproved()
    new = _verified(tx, how.party, held, made.answer)
    if isinstance(new, RegistrationRefused):
        return new
    user = held.user
    passkey = Passkey.of(user.default_workspace_id, user.id, new, made.name, tx.now)
    if not await second_factors.insert_passkey(tx, passkey):
        raise Conflict("this passkey is registered already", slug="passkey-taken")
    return Added(passkey, await note_added(tx, user, "passkey.added", origin))


def _verified(tx: Tx, party: RelyingParty, held: Held, answer: RegistrationAnswer) -> NewPasskey | RegistrationRefused:
    question = held.challenge.attempt() or b""
    held.challenge.close(tx.now)
    try:
        return verify_registration(party, question, answer)
    except RegistrationRefused as refused:
        return refused


async def rename(tx: Tx, user_id: UUID, passkey_id: UUID, name: str) -> Passkey:
    """Call a passkey something else. Raises NotFound."""
    passkey = await second_factors.lock_passkey(tx, user_id, passkey_id)
    passkey.name = name
    return passkey


async def remove(tx: Tx, user_id: UUID, passkey_id: UUID, origin: Origin) -> None:
    """Take no answers of a passkey any more. Raises NotFound, and Conflict for the last factor of who has to have one."""
    user = await users.lock_user(tx, user_id)
    await tx.delete(await second_factors.lock_passkey(tx, user_id, passkey_id))
    await note_removed(tx, user, "passkey.removed", origin)


async def options(tx: Tx, party: RelyingParty, held: Held) -> RequestOptions:
    """What the passkeys of a person are asked to go on with a challenge; the question before is forgotten."""
    known = [one.known for one in await second_factors.passkeys(tx, held.user.id)]
    return authentication_options(party, ask_passkey(held.challenge), known)


async def begin_step_up(tx: Tx, party: RelyingParty, user: User) -> tuple[Ticket, RequestOptions]:
    """What the passkeys of a person, whose row `tx` has locked, are asked to show who they are anew."""
    posed = await pose(tx, user, Ask.STEP_UP)
    return posed.ticket, await options(tx, party, Held(user, posed.challenge))
