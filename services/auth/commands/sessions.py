"""What happens to a session? It is opened by a login, continued by refresh tokens, and ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.db import Tx
from libs.kit.ids import uuid7
from libs.schema.auth import MailTemplate, SessionEnd
from services.auth.commands.acts import tell_of_session, tell_of_theft
from services.auth.commands.mails import Mailing
from services.auth.commands.signing_keys import signing_key
from services.auth.model import SCOPES_OF_ROLE, Method, PlatformRole, RefreshToken, Role, Session, User
from services.auth.repository import devices, sessions, users
from services.auth.tokens import Grant, Issuing, Ticket


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client holds after logging in."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: timedelta
    workspace_id: UUID
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A person who showed who they are, at some time, and the workspace that they want to act for."""

    user: User
    workspace_id: UUID
    at: datetime
    methods: tuple[Method, ...]


async def open_session(tx: Tx, issuing: Issuing, login: Authenticated, origin: Origin) -> Tokens | None:
    """Log in a user who showed who they are; None when they are no member of the workspace, or it was too long ago.

    `tx` is a transaction of the user's home, whose row it has locked.
    """
    user, workspace_id = login.user, login.workspace_id
    role = await users.role_in(tx, user.id, workspace_id)
    expires_at = login.at + issuing.session_lifetime
    if role is None or expires_at <= tx.now:
        return None
    user.last_login_at = tx.now
    session = Session(
        id=uuid7(),
        tenant_id=user.default_workspace_id,
        version=0,
        user_id=user.id,
        workspace_id=workspace_id,
        device=origin.device,
        address=origin.address,
        authenticated_at=login.at,
        methods=list(login.methods),
        last_seen_at=tx.now,
        expires_at=expires_at,
    )
    tx.add(session)
    await tx.flush()
    tx.publish(session, *session.open(tx.now))
    tell_of_session(tx, "session.opened", session, origin)
    return await _issue(tx, issuing, session, _scopes(user, role))


async def continue_session(
    tx: Tx, issuing: Issuing, mailing: Mailing, presented: Ticket, origin: Origin
) -> Tokens | None:
    """Exchange a refresh token for new tokens; None when it is not usable.

    One that was used before has been stolen, from us or by us: then the whole session is over, so the caller must
    commit before it refuses.
    """
    owner_id = await sessions.owner_of(tx, presented.digest)
    user = None if owner_id is None else await users.lock_user(tx, owner_id)
    held = await sessions.lock_by_token(tx, presented.digest)
    if user is None or held is None or not held.session.is_open(tx.now):
        return None
    token, session = held.token, held.session
    if token.used_at is not None:
        tx.publish(session, *session.compromise(origin, tx.now))
        mailing.tell(tx, user, MailTemplate.SESSION_COMPROMISED)
        tell_of_theft(tx, session, origin)
        return None
    role = await users.role_in(tx, user.id, session.workspace_id)
    if role is None or not user.is_present or tx.now >= token.expires_at:
        return None
    token.used_at = tx.now
    session.see(origin, tx.now)
    return await _issue(tx, issuing, session, _scopes(user, role))


async def close_session(tx: Tx, presented: Ticket, origin: Origin) -> None:
    """Log out: no token of the session works any more. An unknown one changes nothing."""
    held = await sessions.lock_by_token(tx, presented.digest)
    if held is not None and held.session.is_open(tx.now):
        tx.publish(held.session, *held.session.end(SessionEnd.LOGOUT, tx.now))
        tell_of_session(tx, "session.closed", held.session, origin)


async def revoke_session(tx: Tx, user_id: UUID, session_id: UUID, origin: Origin) -> None:
    """End one session of a person. Raises NotFound."""
    session = await sessions.lock_session(tx, user_id, session_id)
    if session.is_open(tx.now):
        tx.publish(session, *session.end(SessionEnd.REVOKED, tx.now))
        tell_of_session(tx, "session.revoked", session, origin)


async def end_every_session(tx: Tx, user_id: UUID, origin: Origin) -> None:
    """Log a person out everywhere."""
    await users.lock_user(tx, user_id)
    await end_sessions(tx, user_id, SessionEnd.REVOKED, origin)


async def end_sessions(tx: Tx, user_id: UUID, by: SessionEnd, origin: Origin, spared: UUID | None = None) -> None:
    """End all sessions of a person, whose row `tx` has locked, but one; devices that they approved get none."""
    await devices.deny_approved(tx, user_id)
    for session in await sessions.lock_open_sessions(tx, user_id):
        if session.id != spared:
            tx.publish(session, *session.end(by, tx.now))
            tell_of_session(tx, "session.revoked", session, origin)


def _scopes(user: User, role: Role) -> frozenset[str]:
    return SCOPES_OF_ROLE[role] | SCOPES_OF_ROLE[PlatformRole(user.platform_role)]


async def _issue(tx: Tx, issuing: Issuing, session: Session, scopes: frozenset[str]) -> Tokens:
    refresh = Ticket.generate(session.tenant_id)
    tx.add(
        RefreshToken(
            tenant_id=session.tenant_id,
            session_id=session.id,
            token_hash=refresh.digest,
            expires_at=min(tx.now + issuing.refresh_lifetime, session.expires_at),
        )
    )
    grant = Grant(
        session.user_id,
        session.workspace_id,
        session.id,
        scopes,
        session.authenticated_at,
        tuple(session.methods),
    )
    access = issuing.access_token(await signing_key(tx, issuing), grant, tx.now)
    return Tokens(access, str(refresh), issuing.access_lifetime, session.workspace_id, session.id)
