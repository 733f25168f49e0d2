"""Who is somebody? A person who can log in, known by an address; what happens to them is told by events."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from libs.kit.errors import Forbidden
from libs.kit.model import Moment, Versioned
from libs.schema.auth import (
    EmailVerified,
    LockReason,
    PasswordChange,
    PasswordChanged,
    RoleChanged,
    UserChanged,
    UserDeactivated,
    UserDeleted,
    UserLocked,
    UserReactivated,
    UserRestored,
    UserUnlocked,
)
from libs.schema.event import DomainEvent
from services.auth.model.account_state import AccountState
from services.auth.model.metadata import Base
from services.auth.model.roles import PlatformRole, one_of
from services.auth.model.username import username_key

DEFAULT_TIME_ZONE = "UTC"
DEFAULT_LANGUAGE = "en"
UNPROVED = "show first that your address is yours: `POST /v1/me/email-verification`"


def email_key(email: str) -> str:
    """What an address is known by: two that differ in case or in canonical form (NFC) alone are the same person's.

    Nothing more is folded. What looks alike, or is one under compatibility forms or full case folding, such as ß and ss,
    a dotless i or a full-width letter, is another mailbox, and may be another person's.
    """
    letters = unicodedata.normalize("NFC", email)
    return unicodedata.normalize("NFC", "".join(_small(letter) for letter in letters))


def _small(letter: str) -> str:
    """The small letter of a capital, if each is the other's only one."""
    small = letter.lower()
    return small if small.upper() == letter else letter


@dataclass(frozen=True, slots=True)
class PersonalDetails:
    """What a person says of themselves, checked by whoever took it."""

    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    avatar_url: str | None = None
    phone_number: str | None = None
    time_zone: str = DEFAULT_TIME_ZONE
    language: str = DEFAULT_LANGUAGE
    preferences: dict[str, JsonValue] = field(default_factory=dict)


class User(Versioned, Base):
    """A person who can log in. A member of several workspaces, at home in the one that registration made."""

    __tablename__ = "user"
    __table_args__ = (
        UniqueConstraint("email_key", name="user_email_key"),
        UniqueConstraint("username_key", name="user_username_key"),
        CheckConstraint(one_of("platform_role", PlatformRole), name="user_platform_role"),
        CheckConstraint(one_of("lock_reason", LockReason), name="user_lock_reason"),
        # Staff look for the beginning of an address or a name; the unique indexes follow a collation, and can't.
        Index("user_email_prefix", "email_key", postgresql_ops={"email_key": "text_pattern_ops"}),
        Index("user_username_prefix", "username_key", postgresql_ops={"username_key": "text_pattern_ops"}),
        Index("user_staff", "platform_role", "id", postgresql_where=text("platform_role <> 'USER'")),
        CheckConstraint("brought_by <> id", name="user_brought"),
        Index("user_brought_by", "brought_by", "created_at", "id", postgresql_where=text("brought_by IS NOT NULL")),
    )

    email: Mapped[str]
    email_key: Mapped[str]
    password_hash: Mapped[str]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    platform_role: Mapped[str] = mapped_column(default=PlatformRole.USER)
    is_active: Mapped[bool] = mapped_column(default=True)
    email_verified: Mapped[bool] = mapped_column(default=False)
    # The workspace is made after its owner, in the same transaction, hence no foreign key.
    default_workspace_id: Mapped[UUID]
    last_login_at: Mapped[Moment | None]
    username: Mapped[str | None] = mapped_column(sort_order=20)
    username_key: Mapped[str | None] = mapped_column(sort_order=20)
    avatar_url: Mapped[str | None] = mapped_column(sort_order=20)
    phone_number: Mapped[str | None] = mapped_column(sort_order=20)
    time_zone: Mapped[str] = mapped_column(default=DEFAULT_TIME_ZONE, sort_order=20)
    language: Mapped[str] = mapped_column(default=DEFAULT_LANGUAGE, sort_order=20)
    preferences: Mapped[dict[str, JsonValue]] = mapped_column(JSONB, default=dict, sort_order=20)
    password_changed_at: Mapped[Moment | None] = mapped_column(sort_order=20)
    locked_until: Mapped[Moment | None] = mapped_column(sort_order=20)
    deleted_at: Mapped[Moment | None] = mapped_column(sort_order=20)
    lock_reason: Mapped[str | None] = mapped_column(sort_order=20)
    """Why nobody can log in until `locked_until`; None also for the locks of a release that kept no reason."""
    brought_by: Mapped[UUID | None] = mapped_column(ForeignKey("auth.user.id"), sort_order=20)
    """Whose referral code they registered with. Nobody changes it: the database refuses another one."""

    @property
    def tenant(self) -> UUID | None:
        """The person's home, which all that belongs to them is kept in."""
        return self.default_workspace_id

    @property
    def is_present(self) -> bool:
        """Whether the person may act at all: neither deactivated nor deleted."""
        return self.is_active and self.deleted_at is None

    def may_log_in_by_password(self, at: datetime) -> bool:
        """Whether a right password opens a session: every lock stops this."""
        return self.is_present and not self._is_locked(at)

    def _is_locked(self, at: datetime) -> bool:
        return self.locked_until is not None and self.locked_until > at

    def is_held(self, at: datetime) -> bool:
        """Whether support has locked the person out: neither a mail nor another password opens that lock."""
        return self._is_locked(at) and self.lock_reason == LockReason.SUPPORT

    def state_at(self, at: datetime) -> AccountState:
        """What staff see of all that may keep the person out; the gravest alone."""
        if self.deleted_at is not None:
            return AccountState.DELETED
        if not self.is_active:
            return AccountState.DEACTIVATED
        return AccountState.LOCKED if self._is_locked(at) else AccountState.ACTIVE

    def may_be_acted_for(self, at: datetime) -> bool:
        """Whether programs may act for the person, and they log in by what nobody guesses. Guessed passwords stop neither.

        They would be a way to stop everybody.
        """
        return self.is_present and not self.is_held(at)

    def details(self) -> PersonalDetails:
        """What they say of themselves."""
        return PersonalDetails(
            self.username,
            self.first_name,
            self.last_name,
            self.avatar_url,
            self.phone_number,
            self.time_zone,
            self.language,
            self.preferences,
        )

    def describe(self, details: PersonalDetails, at: datetime) -> list[DomainEvent]:
        """Replace what they say of themselves."""
        if details == self.details():
            return []
        self.username = details.username
        self.username_key = None if details.username is None else username_key(details.username)
        self.first_name, self.last_name = details.first_name, details.last_name
        self.avatar_url, self.phone_number = details.avatar_url, details.phone_number
        self.time_zone, self.language = details.time_zone, details.language
        self.preferences = details.preferences
        return [
            UserChanged(
                occurred_at=at,
                user_id=self.id,
                workspace_id=self.default_workspace_id,
                email=self.email,
                username=self.username,
                first_name=self.first_name,
                last_name=self.last_name,
                avatar_url=self.avatar_url,
                phone_number=self.phone_number,
                time_zone=self.time_zone,
                language=self.language,
            )
        ]

    def refuse_unproved(self) -> None:
        """Raise Forbidden as long as nobody has shown that mail to the address reaches them.

        Until then the account may be a stranger's, who waits for the owner of the address to use it.
        """
        if not self.email_verified:
            raise Forbidden(UNPROVED, slug="email-unverified")

    def verify_email(self, at: datetime) -> list[DomainEvent]:
        """The person got what was sent to their address."""
        if self.email_verified:
            return []
        self.email_verified = True
        return [
            EmailVerified(occurred_at=at, user_id=self.id, workspace_id=self.default_workspace_id, email=self.email)
        ]

    def forget_password(self, at: datetime) -> None:
        """Have no password until another one is chosen by mail: whoever chose this one may not be the person."""
        self.password_hash, self.password_changed_at = "", at

    def rehash_password(self, password_hash: str) -> None:
        """Keep the same password under better parameters."""
        self.password_hash = password_hash

    def change_password(self, password_hash: str, change: PasswordChange, at: datetime) -> list[DomainEvent]:
        """Have another password from now on; a lock that guesses caused is over, support's is not."""
        self.password_hash = password_hash
        self.password_changed_at = at
        changed = PasswordChanged(
            occurred_at=at, user_id=self.id, workspace_id=self.default_workspace_id, change=change
        )
        return [changed, *self.unlock_oneself(at)]

    def lock(self, until: datetime, reason: LockReason, at: datetime) -> list[DomainEvent]:
        """Let nobody log in until then. Guesses change neither support's lock nor a longer one; support's word holds."""
        guessed = reason is not LockReason.SUPPORT
        if guessed and (self.is_held(at) or (self.locked_until is not None and self.locked_until >= until)):
            return []
        self.locked_until, self.lock_reason = until, reason
        return [
            UserLocked(
                occurred_at=at,
                user_id=self.id,
                workspace_id=self.default_workspace_id,
                reason=reason,
                locked_until=until,
            )
        ]

    def unlock_oneself(self, at: datetime) -> list[DomainEvent]:
        """The person showed who they are, by mail or by their password: a lock is over unless support made it."""
        return [] if self.is_held(at) else self.unlock(at)

    def unlock(self, at: datetime) -> list[DomainEvent]:
        """Let the person log in again now, whoever locked them out."""
        if self.locked_until is None:
            return []
        was_locked = self._is_locked(at)
        self.locked_until = self.lock_reason = None
        told = UserUnlocked(occurred_at=at, user_id=self.id, workspace_id=self.default_workspace_id)
        return [told] if was_locked else []

    def deactivate(self, at: datetime) -> list[DomainEvent]:
        """Shut the person out."""
        if not self.is_active:
            return []
        self.is_active = False
        return [UserDeactivated(occurred_at=at, user_id=self.id, workspace_id=self.default_workspace_id)]

    def reactivate(self, at: datetime) -> list[DomainEvent]:
        """Let a deactivated person in again."""
        if self.is_active:
            return []
        self.is_active = True
        return [UserReactivated(occurred_at=at, user_id=self.id, workspace_id=self.default_workspace_id)]

    def delete(self, at: datetime) -> list[DomainEvent]:
        """Take the person out of sight; nothing of theirs is lost yet, and their address stays taken."""
        if self.deleted_at is not None:
            return []
        self.deleted_at = at
        return [UserDeleted(occurred_at=at, user_id=self.id, workspace_id=self.default_workspace_id)]

    def restore(self, at: datetime) -> list[DomainEvent]:
        """Undo `delete`."""
        if self.deleted_at is None:
            return []
        self.deleted_at = None
        return [UserRestored(occurred_at=at, user_id=self.id, workspace_id=self.default_workspace_id)]

    def anonymise(self, at: datetime) -> None:
        """Be nobody: the row stays for others to refer to, and their address is free."""
        # RFC 6761: no mail ever goes to this domain, and no hash is like this.
        self.email = self.email_key = f"{self.id}@erased.invalid"
        self.password_hash, self.password_changed_at = "", at
        self.username = self.username_key = self.first_name = self.last_name = None
        self.avatar_url = self.phone_number = self.last_login_at = self.brought_by = None
        self.locked_until = self.lock_reason = None
        self.time_zone, self.language, self.preferences = DEFAULT_TIME_ZONE, DEFAULT_LANGUAGE, {}
        self.is_active = self.email_verified = False
        self.platform_role = PlatformRole.USER
        self.deleted_at = self.deleted_at or at

    def change_role(self, role: PlatformRole, at: datetime) -> list[DomainEvent]:
        """Be something else to the installation."""
        previous, self.platform_role = self.platform_role, role
        if previous == role:
            return []
        return [
            RoleChanged(
                occurred_at=at,
                user_id=self.id,
                workspace_id=self.default_workspace_id,
                platform_role=role,
                previous_role=previous,
            )
        ]
