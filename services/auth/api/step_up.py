"""Who asked over HTTP? People who show once more who they are, before they do what is dangerous (RFC 9470)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from libs.kit.errors import Unauthenticated
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.origin import RequestOrigin
from libs.kit.http.rate_limits import per_address
from libs.kit.http.routes import Router
from services.auth.api.fields import PresentedPassword, PresentedToken, TypedCode
from services.auth.api.parts import AllParts, Parts, Somebody, a_try
from services.auth.api.second_step import PasskeyIn, PasskeyOptionsOut, options_out, refusal
from services.auth.api.sessions import TokensOut
from services.auth.commands import passkeys, step_up
from services.auth.commands.proofs import NotDone, ShownCode
from services.auth.commands.step_up import AnsweredPasskey, Looked, Offered
from services.auth.repository.users import Credentials, lock_user
from services.auth.tokens import SPENT, Ticket

router = Router()

_WRONG = "the password or the second factor is wrong"


class StepUpIn(BaseModel):
    """The newest refresh token of a session, and all that its person logs in with.

    A password, and a code if they have a second factor; or a passkey, which is enough.
    """

    model_config = ConfigDict(extra="forbid")

    refresh_token: PresentedToken
    password: PresentedPassword | None = None
    code: TypedCode | None = None
    passkey: PasskeyIn | None = None


@router.post("/v1/auth/step-up/options", dependencies=[per_address("login")])
async def ask_for_step_up(somebody: Somebody, db: Db, parts: AllParts, cause: RequestCause) -> PasskeyOptionsOut:
    """What to ask the caller's passkeys with, to step up by one of them."""
    async with db.transaction(somebody.home_id, cause) as tx:
        user = await lock_user(tx, somebody.user_id)
        return options_out(*await passkeys.begin_step_up(tx, parts.entrance.proving.party, user))


@router.post("/v1/auth/step-up", dependencies=[per_address("login")])
async def show_anew(body: StepUpIn, db: Db, parts: AllParts, origin: RequestOrigin, cause: RequestCause) -> TokensOut:
    """Exchange a refresh token for tokens that are as fresh as a login, by showing once more who one is."""
    offered = Offered(
        Ticket.parse(body.refresh_token.get_secret_value()),
        origin,
        None if body.password is None else body.password.get_secret_value(),
        None if body.code is None else ShownCode(body.code.get_secret_value()),
        None if body.passkey is None else _answered(body.passkey),
    )
    home_id = offered.session.home_id
    async with db.transaction(home_id, cause) as tx:
        begun = await step_up.begin(tx, parts.entrance, offered)
    if begun is None:
        raise Unauthenticated(SPENT)
    # No connection is held while a thread hashes.
    async with a_try(db, begun.claimed, cause):
        matched = await _matched(parts, offered, begun.known)
        async with db.transaction(home_id, cause) as tx:
            tokens = await step_up.finish(tx, parts.entrance, offered, Looked(begun.claimed, matched))
    if isinstance(tokens, NotDone):
        raise refusal(tokens) if tokens.is_mistake else Unauthenticated(_WRONG, slug="step-up-failed")
    return TokensOut.of(tokens)


def _answered(shown: PasskeyIn) -> AnsweredPasskey:
    return AnsweredPasskey(Ticket.parse(shown.challenge.get_secret_value()), shown.credential)


async def _matched(parts: Parts, offered: Offered, known: Credentials) -> Credentials | None:
    """What the password was found right for, if there is one and it is right."""
    if offered.password is None:
        return None
    return known if await parts.passwords.match(offered.password, known.password_hash) else None
