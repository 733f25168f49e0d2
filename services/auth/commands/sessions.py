"""What happens to a session? It is opened by a login, continued by refresh tokens, and closed or revoked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import Unauthenticated
from libs.kit.ids import uuid7
from libs.schema.audit import ActorKind, ActResult
from services.auth import tokens
from services.auth.commands.signing_keys import signing_key
from services.auth.model import SCOPES_OF_ROLE, PlatformRole, RefreshToken
from services.auth.repository import sessions, users
from services.auth.repository.users import Member
from services.auth.tokens import Issuing


class Known(Protocol):
    """Somebody whose address was given at a login."""

    @property
    def user_id(self) -> UUID:
        """Who it is."""

    @property
    def workspace_id(self) -> UUID:
        """Their own workspace."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a client holds after logging in."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: timedelta
    workspace_id: UUID


async def open_session(tx: Tx, issuing: Issuing, workspace_id: UUID, user_id: UUID, origin: Origin) -> Session:
    """Log in a user whose password was right. Raises Unauthenticated when they may not act for the workspace."""
    member = await users.find_member(tx, user_id)
    if member is None:
        raise Unauthenticated("the e-mail address or the password is wrong")
    member.user.last_login_at = tx.now
    family_id = uuid7()
    actor = Actor(ActorKind.USER, user_id, origin=origin)
    tell_act(tx, workspace_id, Act("session.opened", actor, Target("session", family_id)))
    return await _issue(tx, issuing, member, workspace_id, token_id=family_id, family_id=family_id)


def refuse_login(tx: Tx, known: Known | None, origin: Origin) -> None:
    """Tell of a login that failed: in the person's trail, or the installation's when nobody has the address."""
    workspace_id, who = (None, None) if known is None else (known.workspace_id, known.user_id)
    # Not the address: what is in a trail stays there, and it may be somebody's password.
    target, reason = Target("user", who or "unknown"), "wrong address or password"
    actor = Actor(ActorKind.USER, origin=origin)
    tell_act(tx, workspace_id, Act("session.opened", actor, target, ActResult.REFUSED, reason))


async def continue_session(tx: Tx, issuing: Issuing, presented: tokens.RefreshToken, origin: Origin) -> Session | None:
    """Exchange a refresh token for new tokens; None when it is not usable.

    One that was used before has been stolen, from us or by us: then the whole session is revoked, so the caller must
    commit before it refuses.
    """
    token = await sessions.lock_session(tx, presented.digest)
    if token is None:
        return None
    if token.used_at is not None:
        await _revoke_stolen(tx, token, origin)
        return None
    member = await users.find_member(tx, token.user_id)
    if member is None or not token.is_usable(tx.now):
        return None
    token.used_at = tx.now
    return await _issue(tx, issuing, member, presented.workspace_id, token_id=uuid7(), family_id=token.family_id)


async def _revoke_stolen(tx: Tx, token: RefreshToken, origin: Origin) -> None:
    await sessions.revoke_family(tx, token.family_id, tx.now)
    # Nobody knows whether the user or the thief is here.
    actor, reason = Actor(ActorKind.USER, origin=origin), "a refresh token came a second time"
    tell_act(tx, token.tenant_id, Act("session.revoked", actor, Target("session", token.family_id), reason=reason))


async def close_session(tx: Tx, presented: tokens.RefreshToken, origin: Origin) -> None:
    """Log out: no refresh token of the session works any more. An unknown one changes nothing."""
    token = await sessions.lock_session(tx, presented.digest)
    if token is not None:
        await sessions.revoke_family(tx, token.family_id, tx.now)
        actor = Actor(ActorKind.USER, token.user_id, origin=origin)
        tell_act(tx, presented.workspace_id, Act("session.closed", actor, Target("session", token.family_id)))


async def _issue(
    tx: Tx, issuing: Issuing, member: Member, workspace_id: UUID, *, token_id: UUID, family_id: UUID
) -> Session:
    refresh = tokens.RefreshToken.generate(workspace_id)
    tx.add(
        RefreshToken(
            id=token_id,
            tenant_id=workspace_id,
            user_id=member.user.id,
            family_id=family_id,
            token_hash=refresh.digest,
            expires_at=tx.now + issuing.refresh_lifetime,
        )
    )
    scopes = SCOPES_OF_ROLE[member.role] | SCOPES_OF_ROLE[PlatformRole(member.user.platform_role)]
    key = await signing_key(tx, issuing)
    access = issuing.access_token(key, member.user.id, workspace_id, scopes, tx.now)
    return Session(access, str(refresh), issuing.access_lifetime, workspace_id)
