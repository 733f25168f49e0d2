"""How often may somebody guess? Failed logins are counted before they are known to fail, and slow down the next."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.ids import uuid7
from libs.kit.model import Moment
from services.auth.model.metadata import Base
from services.auth.model.roles import one_of


class LoginResult(StrEnum):
    """How a login ended."""

    SUCCEEDED = "SUCCEEDED"
    WRONG = "WRONG"
    """The password was wrong, or nobody has the address."""
    WRONG_FACTOR = "WRONG_FACTOR"
    """The password was right, and the second factor was not."""
    SHUT_OUT = "SHUT_OUT"
    """The password was right; the person is locked, deactivated or deleted."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures are borne, and for how long one is remembered."""

    free: int
    """So many are not slowed down."""
    failures: int
    """After so many nothing is tried for `pause`."""
    pause: timedelta

    def wait_after(self, failures: int) -> timedelta:
        """How long nothing is tried after so many failures: 1, 2, 4 ... seconds, then the whole pause."""
        if failures >= self.failures:
            return self.pause
        if failures <= self.free:
            return timedelta(0)
        return min(timedelta(seconds=1 << min(failures - self.free - 1, 30)), self.pause)


class LoginGuard(Base):
    """How many logins failed for an account or from an address, known or not; whose it is stands in a hash alone."""

    __tablename__ = "login_guard"

    subject: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_failed_at: Mapped[Moment]

    def claim(self, patience: Patience, at: datetime) -> timedelta | None:
        """Count a try as failed before it is made, so that many at once are no more than many in turn.

        Gives how long to wait instead when it may not be made now.
        """
        if at - self.last_failed_at >= patience.pause:
            self.failures = 0
        pause = patience.wait_after(self.failures)
        wait = self.last_failed_at + pause - at
        if pause and wait > timedelta(0):
            return wait
        self.failures += 1
        # Of two at once, the one that began first may come second.
        self.last_failed_at = max(self.last_failed_at, at)
        return None

    def forgive(self) -> None:
        """The person showed who they are: what failed before were their own mistakes."""
        self.failures = 0

    def give_back(self) -> None:
        """The try that was counted did not fail."""
        self.failures = max(0, self.failures - 1)

    def give_way(self, patience: Patience, at: datetime) -> None:
        """The try was right, and is the first half of one: nobody waits for it, but nothing is forgiven."""
        self.give_back()
        self.last_failed_at = min(self.last_failed_at, at - patience.wait_after(self.failures))


def account_subject(email_key: str) -> bytes:
    """What the guard of an account is known by."""
    return hashlib.sha256(b"account\0" + email_key.encode()).digest()


def codes_subject(user_id: UUID) -> bytes:
    """What the guard of a person's codes is known by: neither a new password nor a mail makes guessing them free again."""
    return hashlib.sha256(b"codes\0" + user_id.bytes).digest()


def address_subject(address: str | None) -> bytes:
    """What the guard of an address is known by."""
    return hashlib.sha256(b"address\0" + (address or "").encode()).digest()


class Login(Base):
    """One try to log in, kept in the home of the person whose address was given, or in nobody's."""

    __tablename__ = "login"
    __table_args__ = (
        CheckConstraint(one_of("result", LoginResult), name="login_result"),
        Index("login_user", "tenant_id", "user_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    tenant_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    result: Mapped[str]
    device: Mapped[str | None]
    address: Mapped[str | None]
    at: Mapped[Moment]


CODES_REMEMBERED = timedelta(days=1)
"""How long wrong one-time codes count: so many a day that nobody finds one in years, whoever knows the password."""

NOBODY = UUID(int=0)
"""The home of those whom nobody knows: a try for an unknown address leaves as many traces as for a known one."""
