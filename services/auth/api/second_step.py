"""Who asked over HTTP? People whose password was right, and who show a second factor; or a passkey, and no password."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from libs.kit.db import Database
from libs.kit.errors import Unauthenticated
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.rate_limits import per_address
from libs.kit.http.routes import Router
from libs.schema.event import Cause
from services.auth.api.fields import PresentedToken, TypedCode
from services.auth.api.parts import AllParts, Parts
from services.auth.api.sessions import TokensOut
from services.auth.commands import challenges, passkeys, second_step
from services.auth.commands.proofs import NotDone, ShownCode, ShownPasskey
from services.auth.commands.sessions import Tokens
from services.auth.model import Ask
from services.auth.model.challenge import LIFETIME
from services.auth.model.login import NOBODY
from services.auth.model.passkey import owner_of
from services.auth.passkeys import AuthenticationAnswer, PasskeyChanged, RequestOptions, authentication_options
from services.auth.queries import people
from services.auth.tokens import Ticket

router = Router()

_WRONG = "this is not the second factor of the account, or it was used before"
_USED = "this code, or a later one, was used already: wait for the next one that the application shows"
_SPENT = "the challenge is not valid, or no longer: log in anew"


_REFUSALS: Mapping[NotDone, Callable[[], Unauthenticated]] = MappingProxyType({
    NotDone.SPENT: partial(Unauthenticated, _SPENT, slug="challenge-spent"),
    NotDone.WRONG: partial(Unauthenticated, _WRONG, slug="wrong-second-factor"),
    NotDone.USED: partial(Unauthenticated, _USED, slug="second-factor-used"),
    NotDone.CHANGED: PasskeyChanged,
})  # fmt: skip


class SecondFactorIn(BaseModel):
    """What the login gave, and a code."""

    model_config = ConfigDict(extra="forbid")

    challenge: PresentedToken
    code: TypedCode


class PasskeyOptionsIn(BaseModel):
    """Which login is to be completed; null or nothing for one that begins with a passkey."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})

    challenge: PresentedToken | None = None


class PasskeyOptionsOut(BaseModel):
    """What a browser asks passkeys with."""

    challenge: str
    """To be sent with the answer."""
    expires_in: int
    """Seconds that the person has to answer."""
    options: RequestOptions


class PasskeyIn(BaseModel):
    """A passkey's answer, and what it answers."""

    model_config = ConfigDict(extra="forbid")

    challenge: PresentedToken
    credential: AuthenticationAnswer


def options_out(ticket: Ticket, options: RequestOptions) -> PasskeyOptionsOut:
    """What a browser is told."""
    return PasskeyOptionsOut(challenge=str(ticket), expires_in=int(LIFETIME.total_seconds()), options=options)


@router.post("/v1/auth/second-factor", dependencies=[per_address("login")])
async def show_code(
    body: SecondFactorIn, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> TokensOut:
    """Complete a login with a code of an authenticator application, or a recovery code."""
    presented, shown = Ticket.parse(body.challenge.get_secret_value()), ShownCode(body.code.get_secret_value())
    async with db.transaction(presented.home_id, cause) as tx:
        done = await second_step.show_code(tx, parts.entrance, presented, shown, origin)
    return _tokens(done)


@router.post("/v1/auth/passkeys/options", dependencies=[per_address("login")])
async def ask_passkeys(body: PasskeyOptionsIn, db: Db, parts: AllParts, cause: RequestCause) -> PasskeyOptionsOut:
    """What to ask a passkey with: one of the person's, to complete a login, or any, to log in without a password."""
    if body.challenge is None:
        return await _ask_anybody(db, parts, cause)
    presented = Ticket.parse(body.challenge.get_secret_value())
    async with db.transaction(presented.home_id, cause) as tx:
        held = await challenges.hold(tx, presented, Ask.SECOND_FACTOR)
        if held is None:
            raise Unauthenticated(_SPENT, slug="challenge-spent")
        return options_out(presented, await passkeys.options(tx, parts.entrance.proving.party, held))


async def _ask_anybody(db: Database, parts: Parts, cause: Cause) -> PasskeyOptionsOut:
    async with db.transaction(NOBODY, cause) as tx:
        posed = await challenges.pose_to_anybody(tx)
        question = posed.challenge.question or b""
    return options_out(posed.ticket, authentication_options(parts.entrance.proving.party, question, ()))


@router.post("/v1/auth/passkeys", dependencies=[per_address("login")])
async def show_passkey(
    body: PasskeyIn, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause
) -> TokensOut:
    """Complete a login with a passkey, or log in with nothing else."""
    presented = Ticket.parse(body.challenge.get_secret_value())
    if presented.home_id == NOBODY:
        shown = await _answered(db, presented, body.credential, cause)
        home_id, user_id = await _claimed(db, body.credential)
        async with db.transaction(home_id, cause) as tx:
            opened = await second_step.log_in_by_passkey(tx, parts.entrance, user_id, shown, origin)
        return _tokens(opened)
    async with db.transaction(presented.home_id, cause) as tx:
        done = await second_step.show_passkey(tx, parts.entrance, presented, body.credential, origin)
    return _tokens(done)


async def _answered(db: Database, presented: Ticket, answer: AuthenticationAnswer, cause: Cause) -> ShownPasskey:
    """The answer with its question, which is spent. Raises Unauthenticated when none was asked."""
    async with db.transaction(NOBODY, cause) as tx:
        question = await challenges.take_from_anybody(tx, presented)
    if question is None:
        raise Unauthenticated(_SPENT, slug="challenge-spent")
    return ShownPasskey(answer, question)


async def _claimed(db: Database, answer: AuthenticationAnswer) -> tuple[UUID, UUID]:
    """The home and the id of whom a passkey says it belongs to. Raises Unauthenticated when they are nobody."""
    user_id = owner_of(answer.owner_handle)
    async with db.public() as tx:
        user = None if user_id is None else await people.person(tx, user_id)
    if user is None:
        raise Unauthenticated(_WRONG, slug="wrong-second-factor")
    return user.default_workspace_id, user.id


def refusal(why: NotDone) -> Unauthenticated:
    """What somebody is told who has not shown who they are."""
    return _REFUSALS[why]()


def _tokens(done: Tokens | NotDone) -> TokensOut:
    if isinstance(done, NotDone):
        raise refusal(done)
    return TokensOut.of(done)
