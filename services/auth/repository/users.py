"""What is the SQL of people? Found by address, locked by id, and what they are in which workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from libs.kit.db import Tx
from libs.kit.errors import Conflict, NotFound
from libs.kit.ids import uuid7
from services.auth.model import Membership, PlatformRole, Role, User, Workspace, email_key
from services.auth.model.user import DEFAULT_LANGUAGE, DEFAULT_TIME_ZONE


@dataclass(frozen=True, slots=True)
class NewUser:
    """Whoever registers."""

    email: str
    password_hash: str = field(repr=False)
    first_name: str | None
    last_name: str | None
    referral_code: str | None = None
    """What somebody who brings customers gave them, as it is kept."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a password is checked against, before any workspace is known."""

    user_id: UUID
    home_id: UUID
    password_hash: str = field(repr=False)
    password_changed_at: datetime | None
    """A password that was changed since is another one, however its hash was checked."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody is in a workspace, and whether it demands a second factor of them."""

    role: Role
    second_factor_demanded: bool


async def insert_user(tx: Tx, new: NewUser, default_workspace_id: UUID, brought_by: UUID | None) -> User | None:
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
            time_zone=DEFAULT_TIME_ZONE,
            language=DEFAULT_LANGUAGE,
            preferences={},
            brought_by=brought_by,
        )
        .on_conflict_do_nothing(index_elements=[User.email_key])
        .returning(User.id)
    )
    user_id = (await tx.execute(statement)).scalar()
    return await tx.scalar(select(User).where(User.id == user_id)) if user_id else None


async def find_user(tx: Tx, email: str) -> User | None:
    """The user with this address, in any writing of it."""
    return await tx.scalar(select(User).where(User.email_key == email_key(email)))


async def find(tx: Tx, user_id: UUID) -> User | None:
    """The user of this id, in whatever state, or None."""
    return await tx.scalar(select(User).where(User.id == user_id))


async def lock_known(tx: Tx, user_id: UUID) -> User | None:
    """The user, locked until the transaction ends, or None. Rows that refer to them may be made meanwhile."""
    return await tx.scalar(select(User).where(User.id == user_id).with_for_update(key_share=True))


async def lock_user(tx: Tx, user_id: UUID) -> User:
    """The user, locked until the transaction ends. Raises NotFound."""
    user = await lock_known(tx, user_id)
    if user is None:
        raise NotFound("user", user_id)
    return user


async def lock_all(tx: Tx, user_ids: Sequence[UUID]) -> dict[UUID, User]:
    """Those of the users that there are, locked in one order until the transaction ends."""
    found = await tx.scalars(
        select(User).where(User.id.in_(set(user_ids))).order_by(User.id).with_for_update(key_share=True)
    )
    return {user.id: user for user in found}


async def lock_those(tx: Tx, user_ids: Sequence[UUID], emails: Sequence[str]) -> None:
    """Lock users by their ids or addresses, in one order, until the transaction ends."""
    keys = {email_key(email) for email in emails}
    await tx.execute(
        select(User.id)
        .where(or_(User.id.in_(set(user_ids)), User.email_key.in_(keys)))
        .order_by(User.id)
        .with_for_update(key_share=True)
    )


async def lock_by_email(tx: Tx, emails: Sequence[str]) -> dict[str, User]:
    """Those who have these addresses, by their keys, locked in one order until the transaction ends."""
    keys = {email_key(email) for email in emails}
    found = await tx.scalars(
        select(User).where(User.email_key.in_(keys)).order_by(User.id).with_for_update(key_share=True)
    )
    return {user.email_key: user for user in found}


async def get(tx: Tx, user_id: UUID) -> User:
    """The user. Raises NotFound."""
    user = await tx.scalar(select(User).where(User.id == user_id))
    if user is None:
        raise NotFound("user", user_id)
    return user


async def is_home(tx: Tx, user_id: UUID, workspace_id: UUID) -> bool:
    """Whether a workspace is the personal one of this user."""
    return (await get(tx, user_id)).default_workspace_id == workspace_id


async def ask_as(tx: Tx, user_id: UUID) -> None:
    """Let the rest of the transaction read what concerns a person, such as their memberships, wherever it is kept.

    Statements after it that mean one workspace have to name it.
    """
    await tx.fetch("SELECT set_config('app.user_id', $1, true)", str(user_id))


async def standing_in(tx: Tx, user_id: UUID, workspace_id: UUID) -> Standing | None:
    """What the user is in a workspace, whichever the transaction's is; None when they are no member."""
    await ask_as(tx, user_id)
    found = await tx.row(
        select(Membership.role, Workspace.second_factor_required)
        .join(Workspace, Workspace.id == Membership.tenant_id)
        .where(Membership.user_id == user_id, Membership.tenant_id == workspace_id)
    )
    return None if found is None else Standing(Role(found.role), found.second_factor_required)


async def role_in(tx: Tx, user_id: UUID, workspace_id: UUID) -> Role | None:
    """The role alone."""
    standing = await standing_in(tx, user_id, workspace_id)
    return None if standing is None else standing.role


async def save_described(tx: Tx, user: User) -> None:
    """Write what a user says of themselves. Raises Conflict when somebody else has the name already."""
    try:
        await tx.flush()
    except IntegrityError as error:
        if "user_username_key" not in str(error.orig):
            raise
        raise Conflict("this user name is taken", slug="username-taken") from error
    # The database says when it was written.
    await tx.scalar(select(User).where(User.id == user.id).execution_options(populate_existing=True))


async def is_email_verified(tx: Tx, user_id: UUID) -> bool:
    """Whether the person has shown that the address is theirs."""
    return await tx.scalar(select(User.email_verified).where(User.id == user_id)) or False
