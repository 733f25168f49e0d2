"""How often may somebody ask? Buckets in PostgreSQL that all replicas share, emptied by requests and filled by time.

The rule is the generic cell rate algorithm (ITU-T I.371, annex A): a bucket is one moment, the one at which it is full
again; a request moves it ahead by the time that one request takes to grow back, unless that leads too far ahead.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, DateTime, LargeBinary, MetaData, Table

from libs.kit.db import Database, Tx

_MICROSECOND = timedelta(microseconds=1)
_NOTHING = timedelta(0)
# PostgreSQL judges under the row's lock. The moment is read once, before that: who waited is judged a little stricter.
_TAKE = """
    INSERT INTO rate_limit AS bucket (key, full_at)
    SELECT $1, coalesce($4::timestamptz, clock_timestamp()) + $2::interval
    ON CONFLICT (key) DO UPDATE SET full_at = CASE
        WHEN greatest(bucket.full_at, EXCLUDED.full_at - $2) + $2 <= EXCLUDED.full_at - $2 + $3::interval
        THEN greatest(bucket.full_at, EXCLUDED.full_at - $2) + $2
        ELSE bucket.full_at
    END
    RETURNING old.full_at IS DISTINCT FROM new.full_at,
        new.full_at - coalesce($4::timestamptz, clock_timestamp())"""

_GIVE_BACK = "UPDATE rate_limit SET full_at = full_at - $2::interval WHERE key = $1"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A policy: `quota` requests in a `window`, evenly, of which up to `burst` may come at once; all unless said."""

    name: str
    quota: int
    window: timedelta
    burst: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a policy that lets nothing through."""
        if self.quota < 1 or self.at_once < 1 or self.window <= _NOTHING:
            raise ValueError(f"the rate limit {self.name} lets nothing through")

    @property
    def at_once(self) -> int:
        """How many a full bucket lets through."""
        return self.quota if self.burst is None else self.burst

    @property
    def interval(self) -> timedelta:
        """The time in which one request grows back; PostgreSQL counts microseconds."""
        return max(self.window / self.quota, _MICROSECOND)

    @property
    def capacity(self) -> timedelta:
        """The time in which an empty bucket gets full."""
        return self.interval * self.at_once

    def key(self, subject: str) -> bytes:
        """What a subject's bucket is found by: the table shows neither addresses nor names."""
        return hashlib.sha256(f"{self.name}\0{subject}".encode(errors="surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one request's question."""

    limit: RateLimit
    allowed: bool
    missing: timedelta
    """How long the bucket needs to be full again."""

    @property
    def remaining(self) -> int:
        """How many more requests would be let through now."""
        return min(max(self.limit.capacity - self.missing, _NOTHING) // self.limit.interval, self.limit.at_once)

    @property
    def full_in(self) -> int:
        """Whole seconds until the bucket is full again."""
        return _seconds(self.missing)

    @property
    def retry_after(self) -> int:
        """Whole seconds until one more request would be let through, at least 1."""
        return max(_seconds(self.missing + self.limit.interval - self.limit.capacity), 1)


async def take(db: Database, limit: RateLimit, subject: str, at: datetime | None = None) -> Verdict:
    """Take one request out of a subject's bucket, if there is one, at the database's present or at a given moment.

    Exact for any number of replicas at once. What is refused later counts too, and no request holds the bucket while it
    works.
    """
    [(allowed, missing)] = await db.fetch_alone(_TAKE, limit.key(subject), limit.interval, limit.capacity, at)
    return Verdict(limit, allowed, max(missing, _NOTHING))


async def take_within(tx: Tx, limit: RateLimit, subject: str) -> Verdict:
    """The same as a part of a transaction: what is taken is given back if that fails, and others wait for its end."""
    [(allowed, missing)] = await tx.fetch(_TAKE, limit.key(subject), limit.interval, limit.capacity, tx.now)
    return Verdict(limit, allowed, max(missing, _NOTHING))


async def give_back(db: Database, limit: RateLimit, subject: str) -> None:
    """Put a request back into a subject's bucket: it turned out to be none of those that are limited."""
    await db.fetch_alone(_GIVE_BACK, limit.key(subject), limit.interval)


def add_rate_limits(metadata: MetaData) -> None:
    """Describe the table of buckets in a context's metadata, as `libs.kit.migrations.rate_limits` makes it."""
    Table(
        "rate_limit",
        metadata,
        Column("key", LargeBinary, primary_key=True),
        Column("full_at", DateTime(timezone=True), nullable=False),
        prefixes=["UNLOGGED"],
    )


def _seconds(time: timedelta) -> int:
    return max(-(-time // timedelta(seconds=1)), 0)
