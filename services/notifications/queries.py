"""What can be read? The list, the newest first; how much of it is unread; and what came after a position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select

from libs.kit.db import Tx
from libs.kit.errors import Invalid
from libs.kit.http.pagination import PageRequest, Position
from libs.schema.notifications import NotificationType
from services.notifications.model import Feed, Notification

MAX_POSITION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """Which notifications: of one type if it is named, and all or the unread alone."""

    notification_type: NotificationType | None
    only_unread: bool


def place(notification: Notification) -> Position:
    """Where a notification stands in the list. The feed's position alone decides; it travels in the place of an id."""
    return Position(notification.delivered_at, UUID(int=notification.position))


def _position(after: Position) -> int:
    if after.id.int > MAX_POSITION:
        raise Invalid("cursor", "is not a cursor that this list gave")
    return after.id.int


async def notifications(tx: Tx, wanted: NotificationFilter, page: PageRequest) -> Sequence[Notification]:
    """The workspace's notifications, the newest first."""
    statement = select(Notification).order_by(Notification.position.desc()).limit(page.limit + 1)
    if wanted.notification_type is not None:
        statement = statement.where(Notification.notification_type == wanted.notification_type)
    if wanted.only_unread:
        statement = statement.where(~Notification.is_read)
    if page.after is not None:
        statement = statement.where(Notification.position < _position(page.after))
    return await tx.scalars(statement)


async def unread_count(tx: Tx) -> int:
    """How many notifications nobody has read."""
    return await tx.scalar(select(func.count()).select_from(Notification).where(~Notification.is_read)) or 0


async def last_position(tx: Tx) -> int:
    """Where the workspace's feed ends now; 0 when it was never told anything."""
    return await tx.scalar(select(Feed.last_position)) or 0


async def notifications_after(tx: Tx, position: int, limit: int) -> Sequence[Notification]:
    """Up to `limit` notifications after a position, in order."""
    statement = select(Notification).where(Notification.position > position)
    return await tx.scalars(statement.order_by(Notification.position).limit(limit))
