"""What can staff read of accounts? One by its id in whatever state, and lists by what somebody says of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from libs.kit.http.pagination import PageRequest, Position
from services.auth.model import AccountState, PlatformRole, User, email_key, username_key
from services.auth.repository import users


@dataclass(frozen=True, slots=True)
class AccountFilter:
    """Which accounts: all that agree with each thing that is named."""

    q: str | None = None
    """The beginning of an address or a user name, in any writing of it, or a whole id."""
    role: PlatformRole | None = None
    state: AccountState | None = None


async def account(tx: Tx, user_id: UUID) -> User:
    """Somebody, whether or not they may act. Raises NotFound."""
    user = await users.find(tx, user_id)
    if user is None:
        raise NotFound("user", user_id)
    return user


async def accounts(tx: Tx, which: AccountFilter, page: PageRequest) -> Sequence[User]:
    """Accounts, the newest first, and one more than the page holds. Their ids grow with time."""
    statement = select(User).where(*_conditions(which, tx.now)).order_by(User.id.desc()).limit(page.limit + 1)
    if page.after is not None:
        statement = statement.where(User.id < page.after.id)
    return await tx.scalars(statement)


def place(user: User) -> Position:
    """Where an account stands in the list."""
    return Position(user.created_at, user.id)


def _conditions(which: AccountFilter, at: datetime) -> list[ColumnElement[bool]]:
    wanted = [] if which.q is None else [_begins(which.q)]
    if which.role is not None:
        wanted.append(User.platform_role == which.role)
    if which.state is not None:
        wanted.append(_is(which.state, at))
    return wanted


def _begins(said: str) -> ColumnElement[bool]:
    ways = [User.email_key.startswith(email_key(said), autoescape=True)]
    # A name's key leaves out what separates its parts: of such signs alone, nothing is left.
    if name := username_key(said):
        ways.append(User.username_key.startswith(name, autoescape=True))
    try:
        ways.append(User.id == UUID(said))
    except ValueError:
        return or_(*ways)
    return or_(*ways)


def _is(state: AccountState, at: datetime) -> ColumnElement[bool]:
    """What `User.state_at` says, of rows."""
    there, locked = User.deleted_at.is_(None), User.locked_until.is_not(None) & (User.locked_until > at)
    conditions = {
        AccountState.DELETED: ~there,
        AccountState.DEACTIVATED: and_(there, ~User.is_active),
        AccountState.LOCKED: and_(there, User.is_active, locked),
        AccountState.ACTIVE: and_(there, User.is_active, ~locked),
    }
    return conditions[state]
