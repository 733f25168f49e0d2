"""What happens when a program shows its API key? It gets a token for a while, or is told no, and the trail hears of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_network
from uuid import UUID

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.http.programs import is_among
from libs.schema.audit import ActorKind, ActResult
from services.auth.commands.signing_keys import signing_key
from services.auth.model import ApiKey, Refusal
from services.auth.program_keys import KeySecret
from services.auth.repository import api_keys, users
from services.auth.tokens import Issuing, ProgramGrant

_LONGEST = timedelta(minutes=10)
_NO_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class Presented:
    """What a program shows, and the scopes that it wants; None stands for all that it may have."""

    prefix: str
    secret: KeySecret
    wanted: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Known:
    """The key that a program names, and whether what it shows is, or was, its secret."""

    key_id: UUID
    workspace_id: UUID
    matches: bool


@dataclass(frozen=True, slots=True)
class ProgramToken:
    """What a program holds for a while."""

    access_token: str = field(repr=False)
    expires_in: timedelta
    scopes: frozenset[str]
    workspace_id: UUID


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a program gets nothing: in the words of OAuth, and in those of the trail."""

    error: Refusal
    reason: str


WRONG = Refused(Refusal.INVALID_CLIENT, "unknown prefix or wrong secret")


async def recognise(tx: Tx, shown: Presented) -> Known | None:
    """The key of a prefix; None when there is none, with as much work done. `tx` belongs to no workspace."""
    key = await api_keys.by_prefix(tx, shown.prefix)
    # Both are compared, whoever asks: time tells nobody which prefixes there are.
    hashes = (_NO_DIGEST, _NO_DIGEST) if key is None else (key.secret_hash, key.previous_hash or _NO_DIGEST)
    matches = shown.secret.is_one_of(hashes)
    return None if key is None else Known(key.id, key.tenant_id, matches)


async def issue_token(
    tx: Tx, issuing: Issuing, known: Known, shown: Presented, origin: Origin
) -> ProgramToken | Refused:
    """A token for a program: for what its key says and its person may do now. `tx` is of the key's workspace."""
    key = await api_keys.find(tx, known.key_id)
    until = None if key is None else key.opens_until(shown.secret.digest, tx.now)
    if key is None or until is None:
        return Refused(Refusal.INVALID_CLIENT, "the key is revoked or expired, or the secret was replaced")
    if not is_among(origin.address or "", [ip_network(network) for network in key.networks]):
        return Refused(Refusal.UNAUTHORIZED_CLIENT, "the key may not be used from this address")
    user = await users.find(tx, key.user_id)
    role = await users.role_in(tx, key.user_id, key.tenant_id)
    if user is None or role is None or not user.may_be_acted_for(tx.now):
        return Refused(Refusal.UNAUTHORIZED_CLIENT, "the person may not act in the workspace, or no longer")
    allowed = key.scopes_under(role)
    scopes = allowed if shown.wanted is None else shown.wanted
    if not scopes or not scopes <= allowed:
        return Refused(Refusal.INVALID_SCOPE, "wider than the key, or than its person's role")
    await api_keys.note_use(tx, key, origin.address)
    return await _issue(tx, issuing, key, scopes, until)


async def _issue(tx: Tx, issuing: Issuing, key: ApiKey, scopes: frozenset[str], until: datetime) -> ProgramToken:
    lifetime = min(_LONGEST, issuing.access_lifetime, until - tx.now)
    grant = ProgramGrant(key.id, key.user_id, key.tenant_id, scopes, tuple(key.networks), lifetime)
    token = issuing.program_token(await signing_key(tx, issuing), grant, tx.now)
    return ProgramToken(token, lifetime, scopes, key.tenant_id)


def tell_of_refusal(tx: Tx, known: Known | None, refused: Refused, origin: Origin) -> None:
    """A program was told no: in the trail of its key's workspace, or the installation's when nobody has the prefix."""
    who = known.key_id if known is not None and known.matches else None
    target = Target("api_key", "unknown" if known is None else known.key_id)
    act = Act("api_key.used", Actor(ActorKind.API_KEY, who, origin=origin), target, ActResult.REFUSED, refused.reason)
    tell_act(tx, None if known is None else known.workspace_id, act)
