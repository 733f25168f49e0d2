"""How are long lists read? In pages, by a cursor that names the last row seen, never by an offset."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from libs.kit.errors import Invalid

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
CURSOR_FORMAT = "fillstream-cursor"
"""What the documents call a cursor: no pattern says which texts are one."""

Out = TypeVar("Out", bound=BaseModel)
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Position:
    """The place of a row in a list ordered by time and, among equal times, by id."""

    at: datetime
    id: UUID

    def cursor(self) -> str:
        """The opaque text that a client sends back."""
        return base64.urlsafe_b64encode(json.dumps([self.at.isoformat(), str(self.id)]).encode()).decode().rstrip("=")


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() is None:
        raise ValueError("no time zone")
    return moment


def parse_cursor(cursor: str) -> Position:
    """The place that a cursor names. Raises Invalid when it is none of ours."""
    try:
        at, id_ = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        return Position(_aware(at).astimezone(UTC), UUID(id_))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error) as error:
        raise Invalid("cursor", "is not a cursor that this list gave") from error


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page a client wants."""

    limit: int
    after: Position | None


async def page_request(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None,
        Query(
            max_length=300, description="`next_cursor` of the page before", json_schema_extra={"format": CURSOR_FORMAT}
        ),
    ] = None,
) -> PageRequest:
    """The page that the query parameters ask for; for `Depends`."""
    return PageRequest(limit, None if cursor is None else parse_cursor(cursor))


class Page(BaseModel, Generic[Out]):
    """A part of a list."""

    items: list[Out]
    next_cursor: str | None = None
    """Give it as `cursor` to get the next part; None at the end."""


def page(
    rows: Sequence[Row], request: PageRequest, out: Callable[[Row], Out], position: Callable[[Row], Position]
) -> Page[Out]:
    """A page of up to `limit + 1` rows that a query read: the one too many tells that there is a next page."""
    shown = rows[: request.limit]
    following = position(shown[-1]).cursor() if len(rows) > request.limit else None
    return Page(items=[out(row) for row in shown], next_cursor=following)
