"""What is the SQL? Users by address, sessions by their secret's hash, keys that can still be checked with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from libs.kit.ids import uuid7
from services.auth.model import Membership, PlatformRole, RefreshToken, Role, SigningKey, User, email_key


@dataclass(frozen=True, slots=True)
class NewUser:
    """Whoever registers."""

    email: str
    password_hash: str = field(repr=False)
    first_name: str | None
    last_name: str | None


@dataclass(frozen=True, slots=True)
class Member:
    """A user in the workspace of the transaction."""

    user: User
    role: Role


async def insert_user(tx: Tx, new: NewUser, default_workspace_id: UUID) -> User | None:
    """The new user, or None when the address is taken; of several at once, one gets it."""
    statement = (
        insert(User)
        .values(
            id=uuid7(),
            version=0,
            email=new.email,
            email_key=email_key(new.email),
            password_hash=new.password_hash,
            first_name=new.first_name,
            last_name=new.last_name,
            platform_role=PlatformRole.USER,
            is_active=True,
            email_verified=False,
            default_workspace_id=default_workspace_id,
        )
        .on_conflict_do_nothing(index_elements=[User.email_key])
        .returning(User.id)
    )
    user_id = (await tx.execute(statement)).scalar()
    return await tx.scalar(select(User).where(User.id == user_id)) if user_id else None


async def find_user(tx: Tx, email: str) -> User | None:
    """The user with this address, in any writing of it."""
    return await tx.scalar(select(User).where(User.email_key == email_key(email)))


async def find_member(tx: Tx, user_id: UUID) -> Member | None:
    """The user, if active and a member of the transaction's workspace."""
    user = await tx.scalar(select(User).where(User.id == user_id, User.is_active))
    role = await tx.scalar(select(Membership.role).where(Membership.user_id == user_id))
    return None if user is None or role is None else Member(user, Role(role))


async def lock_session(tx: Tx, token_hash: bytes) -> RefreshToken | None:
    """The refresh token, its whole family locked until the transaction ends.

    The family's first token is the lock: a token that joins the family while another one is judged could otherwise
    escape its revocation.
    """
    family = select(RefreshToken.family_id).where(RefreshToken.token_hash == token_hash).scalar_subquery()
    await tx.scalar(select(RefreshToken.id).where(RefreshToken.id == family).with_for_update())
    return await tx.scalar(select(RefreshToken).where(RefreshToken.token_hash == token_hash))


async def revoke_family(tx: Tx, family_id: UUID, at: datetime) -> None:
    """End a session, whatever token of it is out there."""
    await tx.execute(
        update(RefreshToken)
        .where(RefreshToken.family_id == family_id, RefreshToken.revoked_at.is_(None))
        .values(revoked_at=at)
    )


async def lock_signing_keys(tx: Tx) -> None:
    """Let one replica at a time add a key."""
    await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("auth.signing_key", 0))))


async def signing_keys(tx: Tx, retired_after: datetime) -> Sequence[SigningKey]:
    """The keys that tokens may still be checked with, the oldest first."""
    statement = (
        select(SigningKey)
        .where(or_(SigningKey.retired_at.is_(None), SigningKey.retired_at > retired_after))
        .order_by(SigningKey.active_from)
    )
    return await tx.scalars(statement)
