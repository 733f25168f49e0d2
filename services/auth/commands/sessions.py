"""What happens to a session? It is opened by a login, continued by refresh tokens, and closed or revoked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from libs.kit.db import Tx
from libs.kit.errors import Unauthenticated
from libs.kit.ids import uuid7
from services.auth import tokens
from services.auth.commands.signing_keys import signing_key
from services.auth.model import SCOPES_OF_ROLE, PlatformRole, RefreshToken
from services.auth.repository import sessions, users
from services.auth.repository.users import Member
from services.auth.tokens import Issuing


@dataclass(frozen=True, slots=True)
class Session:
    """What a client holds after logging in."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: timedelta
    workspace_id: UUID


async def open_session(tx: Tx, issuing: Issuing, workspace_id: UUID, user_id: UUID) -> Session:
    """Log in a user whose password was right. Raises Unauthenticated when they may not act for the workspace."""
    member = await users.find_member(tx, user_id)
    if member is None:
        raise Unauthenticated("the e-mail address or the password is wrong")
    member.user.last_login_at = tx.now
    return await _issue(tx, issuing, member, workspace_id, family_id=None)


async def continue_session(tx: Tx, issuing: Issuing, presented: tokens.RefreshToken) -> Session | None:
    """Exchange a refresh token for new tokens; None when it is not usable.

    One that was used before has been stolen, from us or by us: then the whole session is revoked, so the caller must
    commit before it refuses.
    """
    token = await sessions.lock_session(tx, presented.digest)
    if token is None:
        return None
    if token.used_at is not None:
        await sessions.revoke_family(tx, token.family_id, tx.now)
        return None
    member = await users.find_member(tx, token.user_id)
    if member is None or not token.is_usable(tx.now):
        return None
    token.used_at = tx.now
    return await _issue(tx, issuing, member, presented.workspace_id, token.family_id)


async def close_session(tx: Tx, presented: tokens.RefreshToken) -> None:
    """Log out: no refresh token of the session works any more. An unknown one changes nothing."""
    token = await sessions.lock_session(tx, presented.digest)
    if token is not None:
        await sessions.revoke_family(tx, token.family_id, tx.now)


async def _issue(tx: Tx, issuing: Issuing, member: Member, workspace_id: UUID, family_id: UUID | None) -> Session:
    refresh, token_id = tokens.RefreshToken.generate(workspace_id), uuid7()
    tx.add(
        RefreshToken(
            id=token_id,
            tenant_id=workspace_id,
            user_id=member.user.id,
            family_id=family_id or token_id,
            token_hash=refresh.digest,
            expires_at=tx.now + issuing.refresh_lifetime,
        )
    )
    scopes = SCOPES_OF_ROLE[member.role] | SCOPES_OF_ROLE[PlatformRole(member.user.platform_role)]
    key = await signing_key(tx, issuing)
    access = issuing.access_token(key, member.user.id, workspace_id, scopes, tx.now)
    return Session(access, str(refresh), issuing.access_lifetime, workspace_id)
