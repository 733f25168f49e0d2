"""What happens to a session? It is opened by a login, continued by refresh tokens, shown anew, and ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from libs.kit.acts import Act, Actor, Origin, Target, tell_act
from libs.kit.db import Tx
from libs.kit.errors import Forbidden, NotFound, Unauthenticated
from libs.kit.http.client_address import neighbourhood
from libs.kit.ids import uuid7
from libs.schema.auth import MailTemplate, SessionEnd
from services.auth.commands.acts import tell_of_session, tell_of_theft
from services.auth.commands.mails import write_to
from services.auth.commands.signing_keys import signing_key
from services.auth.model import SCOPES_OF_ROLE, Method, PlatformRole, RefreshToken, Session, User
from services.auth.model.session import GRACE
from services.auth.repository import challenges, devices, sessions, users
from services.auth.repository.sessions import Held
from services.auth.repository.users import Standing
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
    """How, in the session that is opened; none where they only let a device have one."""


async def open_session(tx: Tx, issuing: Issuing, login: Authenticated, origin: Origin) -> Tokens | None:
    """Log in a user who showed who they are; None when they are no member of the workspace, or it was too long ago.

    `tx` is a transaction of the user's home, whose row it has locked.
    """
    user, workspace_id = login.user, login.workspace_id
    standing = await users.standing_in(tx, user.id, workspace_id)
    expires_at = login.at + issuing.session_lifetime
    if standing is None or expires_at <= tx.now:
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
    tx.publish(session, *session.open(tx.now))
    # Refresh tokens refer to it.
    await tx.flush()
    tell_of_session(tx, "session.opened", session, origin)
    refresh = Ticket.generate(session.tenant_id)
    _keep(tx, issuing, session, refresh)
    return await _issue(tx, issuing, session, refresh, _scopes(user, session, standing))


class NoLongerAMember(Forbidden):
    """The session is for a workspace that its person has left, or was removed from. Nothing was used up."""

    slug = "no-longer-a-member"


async def continue_session(tx: Tx, issuing: Issuing, presented: Ticket, origin: Origin) -> Tokens | None:
    """Exchange a refresh token for new tokens; None when it is not usable. Raises NoLongerAMember.

    One that was used before has been stolen, from us or by us: then the whole session is over, so the caller must
    commit before it refuses. But the client that has used it may have lost the answer, or have two tabs: within `GRACE`
    it gets the same refresh token as before, so that there is one chain at any time.
    """
    continued = await hold(tx, presented, origin)
    return None if continued is None else await go_on(tx, issuing, continued, origin)


async def switch_session(
    tx: Tx, issuing: Issuing, presented: Ticket, workspace_id: UUID, origin: Origin
) -> Tokens | None:
    """The same, for another workspace from now on. Raises NotFound, with nothing used up, where the person is no member."""
    continued = await hold(tx, presented, origin)
    if continued is None:
        return None
    session = continued.session
    if await users.role_in(tx, session.user_id, workspace_id) is None:
        raise NotFound("workspace", workspace_id)
    session.workspace_id = workspace_id
    tell_of_session(tx, "session.switched", session, origin, f"to workspace {workspace_id}")
    return await go_on(tx, issuing, continued, origin)


@dataclass(frozen=True, slots=True)
class Continued:
    """A session that can be gone on with, by the newest of its refresh tokens, and whose it is; both are locked."""

    user: User
    held: Held
    newest: Ticket
    """The newest refresh token, as its client has it, or will have it now."""
    is_again: bool
    """Whether the client has been given it before, and has presented the one before it once more."""

    @property
    def session(self) -> Session:
        """The session alone."""
        return self.held.session


async def hold(tx: Tx, presented: Ticket, origin: Origin) -> Continued | None:
    """The session of a refresh token, not used up yet; None when it is not usable, or was stolen."""
    owner_id = await sessions.owner_of(tx, presented.digest)
    user = None if owner_id is None else await users.lock_user(tx, owner_id)
    held = await sessions.lock_by_token(tx, presented.digest)
    if user is None or held is None or not held.session.is_open(tx.now):
        return None
    newest = await _newest(tx, presented, held, origin)
    if newest is None:
        tx.publish(held.session, *held.session.compromise(origin, tx.now))
        write_to(tx, user, MailTemplate.SESSION_COMPROMISED)
        tell_of_theft(tx, held.session, origin)
        return None
    ticket, token = newest
    usable = user.may_be_acted_for(tx.now) and tx.now < token.expires_at
    return Continued(user, Held(token, held.session), ticket, token is not held.token) if usable else None


async def _newest(tx: Tx, presented: Ticket, held: Held, origin: Origin) -> tuple[Ticket, RefreshToken] | None:
    """The refresh token itself, or what came after it, if it was used and may come again; None for a theft."""
    session, token, ticket = held.session, held.token, presented
    if token.used_at is not None and not _is_same_client(session, origin):
        return None
    while token.used_at is not None:
        if token.successor_salt is None or not token.may_come_again(tx.now):
            return None
        ticket = ticket.followed_by(token.successor_salt)
        following = await sessions.token_of(tx, session.id, ticket.digest)
        if following is None:
            return None
        token = following
    return ticket, token


def _is_same_client(session: Session, origin: Origin) -> bool:
    """Whether the session was last gone on with from there: a name can be copied, but not the network as well."""
    return (session.device, _network(session.address)) == (origin.device, _network(origin.address))


def _network(address: str | None) -> str | None:
    return None if address is None else neighbourhood(address)


async def refuse_former_member(tx: Tx, continued: Continued) -> Standing:
    """What the person is in the session's workspace. Raises NoLongerAMember."""
    standing = await users.standing_in(tx, continued.user.id, continued.session.workspace_id)
    if standing is None:
        raise NoLongerAMember("you are no member of this workspace any more: switch to another one, or to your own")
    return standing


async def go_on(tx: Tx, issuing: Issuing, continued: Continued, origin: Origin) -> Tokens:
    """Use up the refresh token, and give the next. Raises NoLongerAMember, and then it is not used up."""
    user, session, refresh = continued.user, continued.session, continued.newest
    standing = await refuse_former_member(tx, continued)
    if not continued.is_again:
        refresh = refresh.followed_by(continued.held.token.use(tx.now))
        _keep(tx, issuing, session, refresh)
        await sessions.forget_salts(tx, session.id, tx.now - GRACE)
    session.see(origin, tx.now)
    return await _issue(tx, issuing, session, refresh, _scopes(user, session, standing))


async def refuse_ended(tx: Tx, user_id: UUID, session_id: UUID | None) -> None:
    """Raise Unauthenticated when a session does not go on any more, whatever its tokens still say.

    To be called when all else is done: whoever ends a session holds the person's lock, so that after it nothing is done
    in a session that is over.
    """
    if session_id is None or not await sessions.goes_on(tx, user_id, session_id):
        raise Unauthenticated("the session of the access token is over")


async def close_session(tx: Tx, presented: Ticket, origin: Origin) -> None:
    """Log out: no token of the session works any more. An unknown one changes nothing."""
    owner_id = await sessions.owner_of(tx, presented.digest)
    if owner_id is not None:
        await users.lock_known(tx, owner_id)
    held = await sessions.lock_by_token(tx, presented.digest)
    if held is not None and held.session.is_open(tx.now):
        tx.publish(held.session, *held.session.end(SessionEnd.LOGOUT, tx.now))
        tell_of_session(tx, "session.closed", held.session, origin)


async def revoke_session(tx: Tx, user_id: UUID, session_id: UUID, origin: Origin) -> None:
    """End one session of a person. Raises NotFound."""
    await users.lock_user(tx, user_id)
    session = await sessions.lock_session(tx, user_id, session_id)
    if session.is_open(tx.now):
        tx.publish(session, *session.end(SessionEnd.REVOKED, tx.now))
        tell_of_session(tx, "session.revoked", session, origin)


async def end_every_session(tx: Tx, user_id: UUID, origin: Origin) -> None:
    """Log a person out everywhere."""
    await users.lock_user(tx, user_id)
    await end_sessions(tx, user_id, SessionEnd.REVOKED, origin)


async def end_sessions(tx: Tx, user_id: UUID, by: SessionEnd, origin: Origin, spared: UUID | None = None) -> None:
    """End all sessions of a person, whose row `tx` has locked, but one; devices that they approved get none.

    Logins that are half done end, too.
    """
    for session in await _end_open(tx, user_id, by, spared):
        tell_of_session(tx, "session.revoked", session, origin)


async def end_sessions_of(tx: Tx, user: User, reason: SessionEnd, by: Actor) -> None:
    """The same for all of them, by somebody else's hand."""
    for session in await _end_open(tx, user.id, reason, None):
        tell_act(tx, session.tenant_id, Act("session.revoked", by, Target("session", session.id), reason=reason))


async def _end_open(tx: Tx, user_id: UUID, by: SessionEnd, spared: UUID | None) -> list[Session]:
    await devices.deny_approved(tx, user_id)
    await challenges.void_challenges(tx, user_id)
    ended = [session for session in await sessions.lock_open_sessions(tx, user_id) if session.id != spared]
    for session in ended:
        tx.publish(session, *session.end(by, tx.now))
    return ended


def _scopes(user: User, session: Session, standing: Standing) -> frozenset[str]:
    """What the person may do: as staff, and where a workspace demands it, after a second factor alone."""
    if Method.MULTIPLE_FACTORS in session.methods:
        return SCOPES_OF_ROLE[standing.role] | SCOPES_OF_ROLE[PlatformRole(user.platform_role)]
    if standing.second_factor_demanded:
        return frozenset()
    return SCOPES_OF_ROLE[standing.role]


def _keep(tx: Tx, issuing: Issuing, session: Session, refresh: Ticket) -> None:
    tx.add(
        RefreshToken(
            tenant_id=session.tenant_id,
            session_id=session.id,
            token_hash=refresh.digest,
            expires_at=min(tx.now + issuing.refresh_lifetime, session.expires_at),
        )
    )


async def _issue(tx: Tx, issuing: Issuing, session: Session, refresh: Ticket, scopes: frozenset[str]) -> Tokens:
    grant = Grant(
        session.user_id,
        session.workspace_id,
        session.id,
        scopes,
        session.shown_at,
        tuple(session.methods),
    )
    access = issuing.access_token(await signing_key(tx, issuing), grant, tx.now)
    return Tokens(access, str(refresh), issuing.access_lifetime, session.workspace_id, session.id)
