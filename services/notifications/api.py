"""Who asked over HTTP? People who read what they were told, page by page or as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from libs.kit.db import Database
from libs.kit.http.app import Db, RequestCause
from libs.kit.http.pagination import Page, PageRequest, page, page_request
from libs.kit.http.routes import Router
from libs.kit.logging import logger
from libs.kit.outages import DatabaseAway
from libs.kit.security import Caller, TokenVerifier, requires
from libs.schema.notifications import NotificationType
from libs.schema.values import UtcDatetime
from services.notifications import commands, queries
from services.notifications.model import DeliveryMethod, Notification, Priority
from services.notifications.streams import Streams, Subscription

router = Router()
log = logger(__name__)

Reader = Annotated[Caller, Depends(requires("notifications:read"))]
Writer = Annotated[Caller, Depends(requires("notifications:write"))]
FeedPosition = Annotated[int, Field(ge=0, le=queries.MAX_POSITION)]

_STREAM_BATCH = 100


class NotificationOut(BaseModel):
    """Something that the workspace was told."""

    id: UUID
    position: int
    """Its place in the workspace's feed; a stream resumes after it."""
    title: str
    message: str
    notification_type: NotificationType
    priority: Priority
    is_read: bool
    read_at: UtcDatetime | None
    delivery_methods: list[DeliveryMethod]
    delivered_at: UtcDatetime
    metadata: Annotated[dict[str, str], Field(validation_alias="metadata_")]
    event_id: UUID
    occurred_at: UtcDatetime
    created_at: UtcDatetime

    @classmethod
    def of(cls, notification: Notification) -> Self:
        """The notification as clients see it."""
        return cls.model_validate(notification, from_attributes=True)


class UnreadOut(BaseModel):
    """How many notifications nobody has read."""

    unread: int


class ReadOut(BaseModel):
    """How many notifications were marked as read."""

    read: int


async def notification_filter(
    *,
    type: Annotated[NotificationType | None, Query(description="of this type alone")] = None,  # noqa: A002 a query parameter
    unread: Annotated[bool, Query(description="only what nobody has read")] = False,
) -> queries.NotificationFilter:
    """Which notifications the query parameters ask for; for `Depends`."""
    return queries.NotificationFilter(type, unread)


@router.get("/v1/notifications")
async def notifications(
    caller: Reader,
    db: Db,
    wanted: Annotated[PageRequest, Depends(page_request)],
    which: Annotated[queries.NotificationFilter, Depends(notification_filter)],
) -> Page[NotificationOut]:
    """What the workspace was told, the newest first."""
    async with db.transaction(caller.tenant_id) as tx:
        found = await queries.notifications(tx, which, wanted)
        return page(found, wanted, NotificationOut.of, queries.place)


@router.get("/v1/notifications/unread-count")
async def unread_count(caller: Reader, db: Db) -> UnreadOut:
    """How many notifications nobody has read."""
    async with db.transaction(caller.tenant_id) as tx:
        return UnreadOut(unread=await queries.unread_count(tx))


async def _subscription(request: Request, caller: Reader) -> AsyncIterator[Subscription]:
    """Ends when the token does, so that a stream shows nothing to somebody whose access was taken back."""
    streams: Streams = request.app.state.streams
    tokens: TokenVerifier = request.app.state.token_verifier
    with streams.subscribe(caller.tenant_id) as subscription, tokens.watched(caller, subscription.end):
        yield subscription


async def _start(
    caller: Reader,
    db: Db,
    last_event_id: Annotated[
        FeedPosition | None, Header(alias="Last-Event-ID", description="the `id` of the last event that was seen")
    ] = None,
    after: Annotated[FeedPosition | None, Query(description="the same, for a first request")] = None,
) -> int:
    """Where the stream begins: after what the client has seen, or now."""
    seen = after if last_event_id is None else last_event_id
    async with db.transaction(caller.tenant_id) as tx:
        end = await queries.last_position(tx)
    return end if seen is None else min(seen, end)


@router.get("/v1/notifications/stream", response_class=EventSourceResponse)
async def stream(
    caller: Reader,
    db: Db,
    # Subscribed before it is known where the stream begins, so that nothing falls in between.
    subscription: Annotated[Subscription, Depends(_subscription)],
    start: Annotated[int, Depends(_start)],
) -> AsyncIterator[ServerSentEvent]:
    """New notifications as they come (Server-Sent Events), each with its position as `id`; a comment every 15 s.

    Ends with the access token, when it expires or is revoked: come again with a new one and `Last-Event-ID`.
    """
    position = start
    yield ServerSentEvent(comment="connected", retry=1_000)
    while not subscription.ended:
        found = await _look(db, caller, position)
        if found is None:
            return
        for notification in found:
            position = notification.position
            yield ServerSentEvent(event="notification", id=str(position), data=notification)
        if len(found) < _STREAM_BATCH:
            await subscription.wait()


async def _look(db: Database, caller: Caller, position: int) -> list[NotificationOut] | None:
    """What came after a position; None while the database is away: the client comes again and misses nothing."""
    try:
        async with db.transaction(caller.tenant_id) as tx:
            rows = await queries.notifications_after(tx, position, _STREAM_BATCH)
            return [NotificationOut.of(row) for row in rows]
    except DatabaseAway as error:
        log.warning("stream_ended", error=repr(error))
        return None


@router.post("/v1/notifications/read-all")
async def read_all(
    caller: Writer,
    db: Db,
    cause: RequestCause,
    up_to: Annotated[FeedPosition | None, Query(description="no further than this position")] = None,
) -> ReadOut:
    """Mark everything as read, or everything up to the newest that was shown."""
    async with db.transaction(caller.tenant_id, cause) as tx:
        return ReadOut(read=await commands.read_all(tx, up_to))


@router.post("/v1/notifications/{notification_id}/read")
async def read(notification_id: UUID, caller: Writer, db: Db, cause: RequestCause) -> NotificationOut:
    """Mark one notification as read; the first time counts."""
    async with db.transaction(caller.tenant_id, cause) as tx:
        return NotificationOut.of(await commands.read(tx, notification_id))
