"""What happens? People register and log in, sessions go on and end, signing keys follow each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from joserfc.jwk import OKPKey

from libs.kit.db import Tx
from libs.kit.errors import Conflict, NotFound, Unauthenticated
from libs.kit.ids import uuid7
from services.auth import repository, tokens
from services.auth.keys import generate_key, key_id, public_jwk
from services.auth.model import (
    SCOPES_OF_ROLE,
    Membership,
    PlatformRole,
    RefreshToken,
    Role,
    SigningKey,
    User,
    Workspace,
    signing_at,
)
from services.auth.repository import Member, NewUser
from services.auth.tokens import Issuing

DEFAULT_WORKSPACE_NAME = "Personal"


@dataclass(frozen=True, slots=True)
class Session:
    """What a client holds after logging in."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: timedelta
    workspace_id: UUID


async def register(tx: Tx, new: NewUser, workspace_id: UUID, workspace_name: str | None) -> Workspace:
    """Make a user and their workspace, which `tx` is a transaction of. Raises Conflict when the address is taken."""
    user = await repository.insert_user(tx, new, workspace_id)
    if user is None:
        raise Conflict("this e-mail address is registered already", slug="email-taken")
    name = workspace_name or DEFAULT_WORKSPACE_NAME
    workspace = Workspace(id=workspace_id, tenant_id=workspace_id, name=name, owner_id=user.id)
    tx.add(workspace)
    await tx.flush()
    tx.add(Membership(tenant_id=workspace_id, user_id=user.id, role=Role.OWNER))
    tx.publish(workspace, *workspace.welcome(user, tx.now))
    return workspace


async def open_session(tx: Tx, issuing: Issuing, workspace_id: UUID, user_id: UUID) -> Session:
    """Log in a user whose password was right. Raises Unauthenticated when they may not act for the workspace."""
    member = await repository.find_member(tx, user_id)
    if member is None:
        raise Unauthenticated("the e-mail address or the password is wrong")
    member.user.last_login_at = tx.now
    return await _issue(tx, issuing, member, workspace_id, family_id=None)


async def continue_session(tx: Tx, issuing: Issuing, presented: tokens.RefreshToken) -> Session | None:
    """Exchange a refresh token for new tokens; None when it is not usable.

    One that was used before has been stolen, from us or by us: then the whole session is revoked, so the caller must
    commit before it refuses.
    """
    token = await repository.lock_session(tx, presented.digest)
    if token is None:
        return None
    if token.used_at is not None:
        await repository.revoke_family(tx, token.family_id, tx.now)
        return None
    member = await repository.find_member(tx, token.user_id)
    if member is None or not token.is_usable(tx.now):
        return None
    token.used_at = tx.now
    return await _issue(tx, issuing, member, presented.workspace_id, token.family_id)


async def close_session(tx: Tx, presented: tokens.RefreshToken) -> None:
    """Log out: no refresh token of the session works any more. An unknown one changes nothing."""
    token = await repository.lock_session(tx, presented.digest)
    if token is not None:
        await repository.revoke_family(tx, token.family_id, tx.now)


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
    key = await _signing_key(tx, issuing)
    access = issuing.access_token(key, member.user.id, workspace_id, scopes, tx.now)
    return Session(access, str(refresh), issuing.access_lifetime, workspace_id)


async def public_keys(tx: Tx, issuing: Issuing) -> list[dict[str, str]]:
    """The JSON Web Keys that valid tokens are signed with, now or soon. Makes the first one where there is none."""
    await _signing_key(tx, issuing)
    return [key.public_jwk for key in await repository.signing_keys(tx, tx.now - issuing.key_overlap)]


async def _signing_key(tx: Tx, issuing: Issuing) -> OKPKey:
    signing = signing_at(await repository.signing_keys(tx, tx.now - issuing.key_overlap), tx.now)
    if signing is None:
        signing = await _first_key(tx, issuing)
    return issuing.vault.open(signing.kid, signing.sealed_private_key)


async def _first_key(tx: Tx, issuing: Issuing) -> SigningKey:
    await repository.lock_signing_keys(tx)
    # Another replica may have made it while we waited.
    made = signing_at(await repository.signing_keys(tx, tx.now - issuing.key_overlap), tx.now)
    return made or await _add_key(tx, issuing, timedelta(0))


async def _add_key(tx: Tx, issuing: Issuing, lead: timedelta) -> SigningKey:
    pair = generate_key()
    key = SigningKey(
        kid=key_id(pair),
        sealed_private_key=issuing.vault.seal(pair),
        public_jwk=public_jwk(pair),
        active_from=tx.now + lead,
    )
    tx.add(key)
    await tx.flush()
    return key


async def rotate_signing_key(tx: Tx, issuing: Issuing) -> SigningKey:
    """Let a new key sign, once it has been public for `key_lead`; older ones stay public for `key_overlap` after that.

    Needs a worker's transaction.
    """
    await repository.lock_signing_keys(tx)
    older = await repository.signing_keys(tx, tx.now - issuing.key_overlap)
    successor = await _add_key(tx, issuing, issuing.key_lead if older else timedelta(0))
    for key in older:
        if key.retired_at is None:
            key.give_way(successor)
    return successor


async def grant_admin(tx: Tx, email: str) -> User:
    """Let a user write what belongs to every workspace, from their next token on. Raises NotFound."""
    user = await repository.find_user(tx, email)
    if user is None:
        raise NotFound("user", email)
    user.platform_role = PlatformRole.ADMIN
    return user
