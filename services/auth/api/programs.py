"""How does a program show its API key? As OAuth's clients do: in the form, or by HTTP Basic, and never in an address."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote_plus

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from libs.kit.acts import Origin
from libs.kit.db import Database
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.limiter import HowLimited, Limiter
from libs.kit.http.origin import RequestOrigin
from libs.schema.event import Cause
from services.auth.api.forms import refused, unproven
from services.auth.api.parts import AllParts
from services.auth.commands import programs
from services.auth.commands.programs import WRONG, Known, Presented, ProgramToken, Refused
from services.auth.model import Refusal
from services.auth.program_keys import KeySecret
from services.auth.tokens import Issuing

_BASIC = "basic"
_LONGEST = 200


class ProgramTokenOut(BaseModel):
    """A token for a program (RFC 6749, section 4.4.3). There is no refresh token: the key is exchanged anew."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 a scheme's name, not a secret
    expires_in: int
    """Seconds that the access token is valid for."""
    scope: str
    workspace_id: str

    @classmethod
    def of(cls, token: ProgramToken) -> ProgramTokenOut:
        """The token as its program sees it."""
        return cls(
            access_token=token.access_token,
            expires_in=int(token.expires_in.total_seconds()),
            scope=" ".join(sorted(token.scopes)),
            workspace_id=str(token.workspace_id),
        )


@dataclass(frozen=True, slots=True)
class ProgramRequest:
    """A program that wants a token, apart from what its body says."""

    request: Request
    db: Database
    issuing: Issuing
    limited: Limiter
    origin: Origin
    cause: Cause


async def _asked(
    request: Request, db: Db, parts: AllParts, limited: HowLimited, origin: RequestOrigin, cause: RequestCause
) -> ProgramRequest:
    return ProgramRequest(request, db, parts.issuing, limited, origin, cause)


ProgramAsks = Annotated[ProgramRequest, Depends(_asked)]


async def answer_program(
    asked: ProgramRequest, client_id: str | None, secret: str | None, scope: str | None
) -> ProgramTokenOut | Response:
    """What a program hears that shows an API key."""
    shown = _presented(asked.request, client_id, secret, scope)
    outcome = shown if isinstance(shown, Refusal) else await _exchange(asked, shown)
    if isinstance(outcome, ProgramToken):
        return ProgramTokenOut.of(outcome)
    if outcome is Refusal.INVALID_CLIENT and _uses_basic(asked.request):
        return unproven(outcome)
    return refused(outcome)


def _uses_basic(request: Request) -> bool:
    """Whether a client says who it is in a header."""
    return request.headers.get("authorization", "").partition(" ")[0].lower() == _BASIC


def _presented(request: Request, client_id: str | None, secret: str | None, scope: str | None) -> Presented | Refusal:
    """What a program shows, in one of the two ways and not in both (RFC 6749, section 2.3)."""
    if {"client_secret", "client_id"} & set(request.query_params):
        return Refusal.INVALID_REQUEST
    wanted = None if scope is None else frozenset(scope.split())
    if not _uses_basic(request):
        if client_id is None or secret is None:
            return Refusal.INVALID_REQUEST
        return Presented(client_id, KeySecret(secret), wanted)
    pair = _basic(request.headers["authorization"].partition(" ")[2].strip())
    if secret is not None or pair is None or client_id not in {None, pair[0]}:
        return Refusal.INVALID_REQUEST
    return Presented(pair[0], KeySecret(pair[1]), wanted)


def _basic(text: str) -> tuple[str, str] | None:
    """Identifier and secret, each encoded as in a form (RFC 6749, section 2.3.1); None when they are none."""
    try:
        name, colon, secret = base64.b64decode(text, validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return None
    pair = unquote_plus(name), unquote_plus(secret)
    return pair if colon and all(part and len(part) <= _LONGEST for part in pair) else None


async def _exchange(asked: ProgramRequest, shown: Presented) -> ProgramToken | Refusal:
    """A token for a program's key, or why not. Raises RateLimited.

    A right secret is counted by its key alone, so that nobody who guesses stops the key's own programs; what is refused is
    counted by key and by address before the trail hears of it, so that nobody fills a trail.
    """
    async with asked.db.public(asked.cause) as tx:
        known = await programs.recognise(tx, shown)
    outcome: ProgramToken | Refused = WRONG
    if known is not None and known.matches:
        outcome = await _issued(asked, known, shown)
    if isinstance(outcome, ProgramToken):
        return outcome
    await asked.limited.take("api-key-refusals-address", asked.limited.address)
    await asked.limited.take("api-key-refusals", shown.prefix)
    workspace_id = None if known is None else known.workspace_id
    async with (
        asked.db.public(asked.cause) if workspace_id is None else asked.db.transaction(workspace_id, asked.cause)
    ) as tx:
        programs.tell_of_refusal(tx, known, outcome, asked.origin)
    return outcome.error


async def _issued(asked: ProgramRequest, known: Known, shown: Presented) -> ProgramToken | Refused:
    await asked.limited.take("api-key-tokens", str(known.key_id))
    async with asked.db.transaction(known.workspace_id, asked.cause) as tx:
        return await programs.issue_token(tx, asked.issuing, known, shown, asked.origin)
