"""What happens to a challenge? It is posed to one person, or to whoever answers, and taken away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.kit.db import Tx
from services.auth.model import Ask, LoginChallenge, Method, User
from services.auth.model.login import NOBODY
from services.auth.passkeys import new_challenge
from services.auth.repository import challenges, users
from services.auth.tokens import Ticket


@dataclass(frozen=True, slots=True)
class Posed:
    """A new challenge, and what its holder shows with the answer."""

    ticket: Ticket
    challenge: LoginChallenge


@dataclass(frozen=True, slots=True)
class Held:
    """A challenge that waits, and whom it is for; both are locked."""

    user: User
    challenge: LoginChallenge


async def pose(tx: Tx, user: User, ask: Ask, methods: Sequence[Method] = ()) -> Posed:
    """Ask a person, whose row `tx` has locked, for something; `methods` they have shown already."""
    return await _pose(tx, Ticket.generate(user.default_workspace_id), ask, user.id, methods)


async def pose_to_anybody(tx: Tx) -> Posed:
    """Ask for a passkey, whosever it is; `tx` is a transaction of nobody's home."""
    posed = await _pose(tx, Ticket.generate(NOBODY), Ask.PASSKEY_LOGIN, None, ())
    ask_passkey(posed.challenge)
    return posed


async def _pose(tx: Tx, ticket: Ticket, ask: Ask, user_id: UUID | None, methods: Sequence[Method]) -> Posed:
    await challenges.sweep_challenges(tx, ticket.home_id)
    challenge = LoginChallenge.posed(ticket, ask, user_id, tx.now, methods)
    tx.add(challenge)
    return Posed(ticket, challenge)


def ask_passkey(challenge: LoginChallenge) -> bytes:
    """Give a challenge, whose row is locked, a question that a passkey answers; the one before is forgotten."""
    question = new_challenge()
    challenge.question = question
    return question


async def hold(tx: Tx, presented: Ticket, ask: Ask) -> Held | None:
    """The challenge of somebody, if it waits for an answer of this kind."""
    owner_id = await challenges.owner_of(tx, presented.digest)
    user = None if owner_id is None else await users.lock_known(tx, owner_id)
    challenge = await challenges.lock_challenge(tx, presented.digest)
    if user is None or challenge is None or not challenge.waits(ask, tx.now):
        return None
    return Held(user, challenge)


async def take_from_anybody(tx: Tx, presented: Ticket) -> bytes | None:
    """What whoever wants to log in by a passkey was asked, once; `tx` is a transaction of nobody's home."""
    challenge = await challenges.lock_challenge(tx, presented.digest)
    if challenge is None or not challenge.waits(Ask.PASSKEY_LOGIN, tx.now):
        return None
    challenge.close(tx.now)
    return challenge.attempt()
