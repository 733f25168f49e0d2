"""Is it the event's fault or the infrastructure's? Outages are waited out; everything else counts against the event."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from libs.kit.errors import FillstreamError

DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What the drivers raise, whoever is at fault."""

# SQLSTATE classes: connection, transaction rollback (deadlock, serialization), resources, operator intervention, system.
_OUTAGE_CLASSES = frozenset({"08", "40", "53", "57", "58"})
_IDLE_IN_TRANSACTION = "25P03"
_QUERY_CANCELLED = "57014"
# Text or JSON with the character NUL.
_UNSTORABLE = frozenset({"22021", "22P05"})


class Away(FillstreamError):
    """Something that we stand on does not answer now; waiting for it helps."""


class DatabaseAway(Away):
    """No transaction can begin now, or the connection was lost in the middle of one."""


class CutOff(DatabaseAway):
    """A transaction had begun and the server, or the way to it, ended it: an outage, or it was too much at once.

    The driver can't tell which: of a transaction that was silent for too long it often says only that the connection is gone.
    """


def _sqlstate(error: BaseException) -> str | None:
    origin = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(origin, "sqlstate", None)
    return state if isinstance(state, str) else None


def is_outage(error: BaseException) -> bool:
    """Whether trying the same again later can help, because a server or the way to it is at fault."""
    state = _sqlstate(error)
    if state is not None:
        # A statement that ran into its time limit will do so again: that is the event's fault.
        return state == _IDLE_IN_TRANSACTION or (state[:2] in _OUTAGE_CLASSES and state != _QUERY_CANCELLED)
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error.__cause__, OSError)
    # The driver loses its place when a connection breaks in the middle of an answer.
    return isinstance(error, Away | ConnectionError | TimeoutError | asyncpg.InternalClientError)


def is_too_much(error: BaseException) -> bool:
    """Whether less work at once may be what helps: the transaction was cut off, or a statement ran into its time limit."""
    return isinstance(error, CutOff | TimeoutError) or _sqlstate(error) == _QUERY_CANCELLED


def is_unstorable_text(error: BaseException) -> bool:
    """Whether PostgreSQL refused a text for the character NUL, which JSON allows."""
    return _sqlstate(error) in _UNSTORABLE
