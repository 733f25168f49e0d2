"""What happens to an API key? Its person makes it, describes it anew and rotates it; they or the owner revoke it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from libs.kit.acts import SYSTEM, Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import Conflict, Forbidden, Invalid
from libs.schema.audit import ActorKind
from libs.schema.event import Cause
from services.auth.model import PROGRAM_SCOPES, SCOPES_OF_ROLE, ApiKey, Role
from services.auth.model.api_key import KeyTerms
from services.auth.program_keys import KeyRules, KeySecret, new_prefix
from services.auth.repository import api_keys, users, workspaces

# The database dates keys, and auth's replicas dates resets: a key that may be older is taken for older.
_CLOCKS_APART = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Holder:
    """A person in the workspace that they act for."""

    user_id: UUID
    workspace_id: UUID
    origin: Origin


@dataclass(frozen=True, slots=True)
class Reset:
    """Whose password was reset, when, and the event that told it."""

    user_id: UUID
    at: datetime
    cause: Cause


@dataclass(frozen=True, slots=True)
class Opened:
    """A key with a secret that nobody has been told yet."""

    key: ApiKey
    secret: KeySecret


async def create_key(tx: Tx, rules: KeyRules, holder: Holder, terms: KeyTerms) -> Opened:
    """Let programs act for a person.

    Raises Forbidden before the person's address is proved and for scopes that they, or any program, may not have, Invalid for
    an end that is too far away or past, and Conflict when there are too many keys.
    """
    user = await users.lock_user(tx, holder.user_id)
    if not user.may_be_acted_for(tx.now):
        raise Forbidden("the person may not act, or no longer")
    user.refuse_unproved()
    if not tx.now < terms.expires_at <= tx.now + rules.longest:
        raise Invalid("/expires_at", f"is not within the next {rules.longest.days} days")
    await _refuse_wide(tx, holder, terms.scopes)
    if await api_keys.count_kept(tx, user.id) >= rules.most:
        raise Conflict(f"there are {rules.most} keys already: revoke one", slug="too-many-api-keys")
    prefix = new_prefix()
    secret = KeySecret.generate(prefix)
    key = ApiKey.of(holder.workspace_id, user.id, terms, prefix, secret.digest)
    tx.add(key)
    await tx.flush()
    tx.publish(key, *key.create(tx.now))
    _tell(tx, "api_key.created", key, holder)
    return Opened(key, secret)


async def describe_key(
    tx: Tx, holder: Holder, key_id: UUID, name: str | None, networks: tuple[str, ...] | None
) -> ApiKey:
    """Call a person's key something else, or let it be used from elsewhere; None leaves it. Raises NotFound."""
    key = await api_keys.lock_own(tx, holder.user_id, key_id)
    key.describe(key.name if name is None else name, key.networks if networks is None else networks)
    _tell(tx, "api_key.changed", key, holder)
    return key


async def rotate_key(tx: Tx, holder: Holder, key_id: UUID, overlap: timedelta) -> Opened:
    """Give a person's key another secret; the one before works on for a while. Raises NotFound and Conflict."""
    key = await api_keys.lock_own(tx, holder.user_id, key_id)
    secret = KeySecret.generate(key.prefix)
    tx.publish(key, *key.rotate(secret.digest, overlap, tx.now))
    _tell(tx, "api_key.rotated", key, holder)
    return Opened(key, secret)


async def revoke_key(tx: Tx, holder: Holder, key_id: UUID) -> None:
    """Let a key work no more, nor the tokens that came of it. Raises NotFound for keys that the person does not see."""
    key = await api_keys.lock_seen(tx, holder.user_id, holder.workspace_id, key_id)
    told = key.revoke(holder.user_id, tx.now)
    if told:
        tx.publish(key, *told)
        _tell(tx, "api_key.revoked", key, holder)


async def revoke_of_former_member(tx: Tx, workspace_id: UUID, user_id: UUID, by: Actor, revoked_by: UUID) -> None:
    """Let no key of a member who goes work again, also if they come back; `tx` has locked what they are there."""
    for key in await api_keys.lock_kept_in(tx, workspace_id, user_id):
        tx.publish(key, *key.revoke(revoked_by, tx.now))
        revoked = Act("api_key.revoked", by, Target("api_key", key.id), reason="its person is no member any more")
        tell_act(tx, workspace_id, revoked)


async def revoke_after_resets(tx: Tx, resets: Sequence[Reset]) -> None:
    """Let no key work that was made before its person's password was reset: whoever knew the old one may have made it.

    Needs a worker's transaction. Keys that were made since then stay.
    """
    latest = {reset.user_id: reset for reset in resets}
    await users.lock_all(tx, list(latest))
    for key in await api_keys.lock_kept(tx, latest):
        reset = latest[key.user_id]
        if key.created_at < reset.at + _CLOCKS_APART:
            tx.publish(key, *key.revoke(key.user_id, tx.now), cause=reset.cause)
            revoked = Act("api_key.revoked", SYSTEM, Target("api_key", key.id), reason="the password was reset")
            tell_act(tx, key.tenant_id, revoked, reset.cause)


async def _refuse_wide(tx: Tx, holder: Holder, scopes: frozenset[str]) -> None:
    # Locked: whoever removes the member finds every key that they made before.
    member = await workspaces.lock_known_member(tx, holder.workspace_id, holder.user_id)
    allowed = frozenset[str]() if member is None else SCOPES_OF_ROLE[Role(member.role)] & PROGRAM_SCOPES
    if not scopes <= allowed:
        beyond = ", ".join(sorted(scopes - allowed))
        raise Forbidden(f"you may give a program none of: {beyond}", slug="scopes-too-wide")


def _tell(tx: Tx, name: str, key: ApiKey, holder: Holder) -> None:
    actor = Actor(ActorKind.USER, holder.user_id, origin=holder.origin)
    tell_act(tx, holder.workspace_id, Act(name, actor, Target("api_key", key.id)))
