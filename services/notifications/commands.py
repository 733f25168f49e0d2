"""What happens? Workspaces are told of events and read what they were told; people are written to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from libs.kit.db import Tx
from services.notifications import repository
from services.notifications.model import Mail, MailState, Notice, Notification
from services.notifications.repository import WantedMail


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of trying to send a mail: no error, one that may pass, or a final one."""

    error: str | None = None
    final: bool = False


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


async def want_mails(tx: Tx, mails: Sequence[WantedMail]) -> None:
    """Queue mails, each event's once."""
    await repository.insert_mails(tx, mails)


async def take_mail(tx: Tx) -> Mail | None:
    """The mail that is due first, as a value; None when none is.

    One that is still QUEUED is the caller's to send, and nobody else tries it for a while.
    """
    mail = await repository.lock_due_mail(tx)
    if mail is not None:
        mail.take(tx.now)
    return mail


async def settle_mail(tx: Tx, tried: Mail, outcome: Outcome) -> None:
    """Note what the server said to a mail, unless somebody else tries it by now."""
    mail = await repository.lock_mail(tx, tried.id)
    if mail.state != MailState.QUEUED or mail.attempts != tried.attempts:
        return
    if outcome.error is None:
        mail.sent(tx.now)
    elif outcome.final:
        mail.refused(outcome.error, tx.now)
    else:
        mail.delayed(outcome.error, tx.now)
