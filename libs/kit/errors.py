"""What can go wrong? Two families, told apart by who has to act.

FillstreamError
├── Rejected               the caller has to act: becomes a problem answer (RFC 9457), never a log of an error
│   ├── Invalid            422  the request makes no sense; names the field
│   ├── Unauthenticated    401  nobody we know
│   ├── Forbidden          403  known, but not allowed; also limits of a plan
│   ├── NotFound           404  nothing of that id in this workspace
│   ├── Conflict           409  at odds with what is there
│   ├── TooLarge           413  more than we take
│   ├── RateLimited        429  too often; says when to come back
│   └── Overloaded         503  more at once than can be done now; nothing was changed
└── Fatal                  an operator has to act: the process stops and its supervisor starts it anew
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID


class FillstreamError(Exception):
    """Every error of ours."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request. `pointer` is a JSON pointer or a parameter's name."""

    pointer: str
    message: str


class Rejected(FillstreamError):
    """The request can't be done as it is. `slug` names the kind of problem, `detail` says it to a person."""

    status: ClassVar[int] = 400
    slug: str = "rejected"

    def __init__(self, detail: str, *, slug: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.slug = slug or type(self).slug
        self.retry_after = retry_after
        self.errors: tuple[FieldError, ...] = ()


class Invalid(Rejected):
    """A field makes no sense; `pointer` says which."""

    status = 422
    slug = "invalid"

    def __init__(self, pointer: str, message: str, *, slug: str | None = None) -> None:
        super().__init__(f"{pointer}: {message}", slug=slug)
        self.errors = (FieldError(pointer, message),)


class Unauthenticated(Rejected):
    """Nobody we know."""

    status = 401
    slug = "unauthenticated"
    challenge: ClassVar[str] = "Bearer"
    """What the `WWW-Authenticate` header says (RFC 6750)."""


class Forbidden(Rejected):
    """Known, but not allowed."""

    status = 403
    slug = "forbidden"


class NotFound(Rejected):
    """This workspace has no such thing; the answer is the same for another workspace's thing."""

    status = 404
    slug = "not-found"

    def __init__(self, what: str, which: UUID | str) -> None:
        super().__init__(f"there is no {what} {which}")


class Conflict(Rejected):
    """The request is at odds with what is there."""

    status = 409
    slug = "conflict"


class TooLarge(Rejected):
    """More than we take."""

    status = 413
    slug = "too-large"


class RateLimited(Rejected):
    """Too many requests in too short a time."""

    status = 429
    slug = "rate-limited"


class Overloaded(Rejected):
    """More is asked for at once than can be done; nothing was changed."""

    status = 503
    slug = "overloaded"


class Fatal(FillstreamError):
    """The process can't go on by itself: it stops, and its supervisor starts it anew."""
