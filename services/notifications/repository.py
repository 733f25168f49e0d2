"""What is the SQL? Notifications are written in sets, behind the lock of their workspace's feed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from libs.kit.errors import NotFound
from services.notifications.model import Feed, Mail, MailState, Notification


@dataclass(frozen=True, slots=True)
class WantedMail:
    """A mail that somebody is to get."""

    id: UUID
    tenant_id: UUID
    event_id: UUID
    user_id: UUID
    address: str
    template: str
    language: str
    expires_at: datetime | None
    occurred_at: datetime
    workspace_name: str | None


WAKE_CHANNEL = "notifications_told"
"""The NOTIFY channel that wakes streams; the payload is the workspace that was told something."""


async def lock_feeds(tx: Tx, tenant_ids: Iterable[UUID]) -> dict[UUID, Feed]:
    """The workspaces' feeds, made where they are missing, locked in one order so that two batches can't deadlock."""
    wanted = sorted(set(tenant_ids))
    await tx.fetch(
        "INSERT INTO notifications.feed (tenant_id, last_position) SELECT unnest($1::uuid[]), 0 ON CONFLICT DO NOTHING",
        wanted,
    )
    rows = await tx.fetch(
        "SELECT tenant_id, last_position FROM notifications.feed WHERE tenant_id = ANY($1::uuid[]) "
        "ORDER BY tenant_id FOR UPDATE",
        wanted,
    )
    return {row[0]: Feed(tenant_id=row[0], last_position=row[1]) for row in rows}


async def save_feeds(tx: Tx, feeds: Iterable[Feed]) -> None:
    """Keep the feeds' ends and, at the commit, wake the streams of their workspaces."""
    kept = list(feeds)
    await tx.fetch(
        """
        WITH grown AS (
            UPDATE notifications.feed f SET last_position = g.last_position
            FROM unnest($1::uuid[], $2::bigint[]) g (tenant_id, last_position) WHERE f.tenant_id = g.tenant_id
            RETURNING f.tenant_id
        )
        SELECT pg_notify($3, tenant_id::text) FROM grown
        """,
        [feed.tenant_id for feed in kept],
        [feed.last_position for feed in kept],
        WAKE_CHANNEL,
    )


async def told_events(tx: Tx, event_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the events that somebody was told of already."""
    rows = await tx.fetch(
        "SELECT event_id FROM notifications.notification WHERE event_id = ANY($1::uuid[])", list(event_ids)
    )
    return {row[0] for row in rows}


async def insert_notifications(tx: Tx, notifications: Sequence[Notification]) -> None:
    """Keep new notifications, all in one statement."""
    columns = zip(
        *(
            (n.id, n.tenant_id, n.event_id, n.position, n.title, n.message, n.notification_type, n.priority,
             json.dumps(n.delivery_methods), n.delivered_at, json.dumps(n.metadata_), n.occurred_at, n.version)
            for n in notifications
        ),
        strict=True,
    )  # fmt: skip
    await tx.fetch(
        """
        INSERT INTO notifications.notification (
            id, tenant_id, event_id, position, title, message, notification_type, priority, is_read,
            delivery_methods, delivered_at, metadata, occurred_at, version)
        SELECT id, tenant_id, event_id, position, title, message, notification_type, priority, false,
               delivery_methods::jsonb, delivered_at, metadata::jsonb, occurred_at, version
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                    $9::text[], $10::timestamptz[], $11::text[], $12::timestamptz[], $13::bigint[])
             n (id, tenant_id, event_id, position, title, message, notification_type, priority,
                delivery_methods, delivered_at, metadata, occurred_at, version)
        """,
        *map(list, columns),
    )


async def insert_mails(tx: Tx, mails: Sequence[WantedMail]) -> None:
    """Queue mails, all in one statement, each event's once."""
    await tx.execute(
        insert(Mail)
        .values(
            [
                {
                    "id": mail.id,
                    "tenant_id": mail.tenant_id,
                    "event_id": mail.event_id,
                    "user_id": mail.user_id,
                    "address": mail.address,
                    "template": mail.template,
                    "language": mail.language,
                    "expires_at": mail.expires_at,
                    "state": MailState.QUEUED,
                    "attempts": 0,
                    "due_at": tx.now,
                    "occurred_at": mail.occurred_at,
                    "workspace_name": mail.workspace_name,
                }
                for mail in mails
            ]
        )
        .on_conflict_do_nothing()
    )


async def lock_due_mail(tx: Tx) -> Mail | None:
    """The mail that has been due for longest, locked; what another sender holds is passed over."""
    return await tx.scalar(
        select(Mail)
        .where(Mail.state == MailState.QUEUED, Mail.due_at <= tx.now)
        .order_by(Mail.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


async def lock_mail(tx: Tx, mail_id: UUID) -> Mail:
    """A mail, locked. Raises NotFound."""
    mail = await tx.scalar(select(Mail).where(Mail.id == mail_id).with_for_update())
    if mail is None:
        raise NotFound("mail", mail_id)
    return mail


async def lock_notification(tx: Tx, notification_id: UUID) -> Notification:
    """The notification, locked. Raises NotFound when this workspace has none of that id."""
    statement = select(Notification).where(Notification.id == notification_id).with_for_update()
    notification = await tx.scalar(statement)
    if notification is None:
        raise NotFound("notification", notification_id)
    return notification


async def read_all(tx: Tx, up_to: int | None, at: datetime) -> int:
    """Mark the workspace's unread notifications, up to a position if there is one, as read; how many that were."""
    rows = await tx.fetch(
        """
        UPDATE notifications.notification SET is_read = true, read_at = $1, updated_at = $1
        WHERE NOT is_read AND ($2::bigint IS NULL OR position <= $2) RETURNING 1
        """,
        at,
        up_to,
    )
    return len(rows)
