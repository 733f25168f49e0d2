"""What happens? Workspaces are told of events, and read what they were told."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from libs.kit.db import Tx
from services.notifications import repository
from services.notifications.model import Notice, Notification


async def tell(tx: Tx, notices: Sequence[Notice]) -> None:
    """Put notices into the feeds of their workspaces, in this order, each event's once."""
    feeds = await repository.lock_feeds(tx, (notice.tenant_id for notice in notices))
    told = await repository.told_events(tx, [notice.event_id for notice in notices])
    notifications = []
    for notice in notices:
        if notice.event_id not in told:
            notification = feeds[notice.tenant_id].add(notice, tx.now)
            tx.publish(notification, *notification.deliver(), cause=notice.cause)
            notifications.append(notification)
    if notifications:
        await repository.insert_notifications(tx, notifications)
        await repository.save_feeds(tx, feeds.values())


async def read(tx: Tx, notification_id: UUID) -> Notification:
    """Mark one notification as read. Raises NotFound."""
    notification = await repository.lock_notification(tx, notification_id)
    notification.read(tx.now)
    return notification


async def read_all(tx: Tx, up_to: int | None) -> int:
    """Mark all notifications, or those up to a position, as read; how many were unread."""
    return await repository.read_all(tx, up_to, tx.now)
