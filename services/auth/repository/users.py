"""What is the SQL of people? Found by address, and as members of the transaction's workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from libs.kit.ids import uuid7
from services.auth.model import Membership, PlatformRole, Role, User, email_key


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


async def is_email_verified(tx: Tx, user_id: UUID) -> bool:
    """Whether the person has shown that the address is theirs."""
    return await tx.scalar(select(User.email_verified).where(User.id == user_id)) or False
