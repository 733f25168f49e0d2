"""What does auth tell? Who people are and what they risk, what became of their sessions, and whose access has ended."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from libs.schema.event import DomainEvent
from libs.schema.values import Amount, Currency, Keyword, UtcDatetime


class LockReason(StrEnum):
    """Why nobody can log in as a person for a while."""

    FAILED_LOGINS = "FAILED_LOGINS"
    SUPPORT = "SUPPORT"


class PasswordChange(StrEnum):
    """How a password came to be another one."""

    CHANGED = "CHANGED"
    """By somebody who knew the old one."""
    RESET = "RESET"
    """By the holder of a token that was sent to the person's address."""


class SessionEnd(StrEnum):
    """Why a session is over before its time."""

    LOGOUT = "LOGOUT"
    REVOKED = "REVOKED"
    """By its owner, from another session."""
    PASSWORD_CHANGED = "PASSWORD_CHANGED"
    COMPROMISED = "COMPROMISED"
    """A refresh token came a second time: somebody else has it."""
    ROLE_CHANGED = "ROLE_CHANGED"
    """What its owner is to the installation changed."""
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    """The person was deactivated or deleted."""


class MailTemplate(StrEnum):
    """What a mail is about."""

    VERIFY_EMAIL = "VERIFY_EMAIL"
    RESET_PASSWORD = "RESET_PASSWORD"
    PASSWORD_CHANGED = "PASSWORD_CHANGED"
    ACCOUNT_LOCKED = "ACCOUNT_LOCKED"
    SESSION_COMPROMISED = "SESSION_COMPROMISED"
    ROLE_CHANGED = "ROLE_CHANGED"
    ACCOUNT_LOCKED_BY_SUPPORT = "ACCOUNT_LOCKED_BY_SUPPORT"
    INVITATION = "INVITATION"
    SECOND_FACTOR_CHANGED = "SECOND_FACTOR_CHANGED"
    SECOND_FACTOR_REFUSED = "SECOND_FACTOR_REFUSED"
    RECOVERY_CODE_USED = "RECOVERY_CODE_USED"
    API_KEY_CREATED = "API_KEY_CREATED"
    SUPPORT_ENTERED = "SUPPORT_ENTERED"
    EXPORT_READY = "EXPORT_READY"
    ERASURE_REQUESTED = "ERASURE_REQUESTED"
    ERASURE_CANCELLED = "ERASURE_CANCELLED"
    ACCOUNT_CLOSED = "ACCOUNT_CLOSED"
    """The erasure begins; with the token in this mail, the last one, its certificate can be had."""


class RiskTolerance(StrEnum):
    """How much a person wants to risk."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class KycRejectionReason(StrEnum):
    """Why somebody's word on who they are was not believed."""

    DOCUMENT_UNREADABLE = "DOCUMENT_UNREADABLE"
    DOCUMENT_EXPIRED = "DOCUMENT_EXPIRED"
    NAME_MISMATCH = "NAME_MISMATCH"
    IDENTIFIER_MISMATCH = "IDENTIFIER_MISMATCH"
    SUSPECTED_FRAUD = "SUSPECTED_FRAUD"
    OTHER = "OTHER"


class UserRegistered(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person registered; their personal workspace is the tenant of all that follows."""

    user_id: UUID
    workspace_id: UUID
    email: str
    first_name: str | None = None
    last_name: str | None = None
    brought_by: UUID | None = None
    """Who gave them the referral code that they came with."""


class UserChanged(DomainEvent, topic="auth.v1", key="workspace_id"):
    """What a person says of themselves changed; replaces what was said before."""

    user_id: UUID
    workspace_id: UUID
    email: str
    username: str | None
    first_name: str | None
    last_name: str | None
    avatar_url: str | None
    phone_number: str | None
    time_zone: str
    language: str


class EmailVerified(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person showed that mail to their address reaches them."""

    user_id: UUID
    workspace_id: UUID
    email: str


class UserLocked(DomainEvent, topic="auth.v1", key="workspace_id"):
    """Nobody can log in as this person for a while. Sessions go on when guesses were the reason, and end when support was."""

    user_id: UUID
    workspace_id: UUID
    reason: LockReason
    locked_until: UtcDatetime


class UserUnlocked(DomainEvent, topic="auth.v1", key="workspace_id"):
    """The person can log in again before the lock's time was over."""

    user_id: UUID
    workspace_id: UUID


class UserDeactivated(DomainEvent, topic="auth.v1", key="workspace_id"):
    """The person can't log in any more, and their sessions are over."""

    user_id: UUID
    workspace_id: UUID


class UserReactivated(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A deactivated person can log in again."""

    user_id: UUID
    workspace_id: UUID


class UserDeleted(DomainEvent, topic="auth.v1", key="workspace_id"):
    """The person is gone for all to see; what was kept can be restored."""

    user_id: UUID
    workspace_id: UUID


class UserRestored(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A deleted person is there again."""

    user_id: UUID
    workspace_id: UUID


class RoleChanged(DomainEvent, topic="auth.v1", key="workspace_id"):
    """What a person is to the whole installation changed."""

    user_id: UUID
    workspace_id: UUID
    platform_role: str
    previous_role: str


class PasswordChanged(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person has another password; all of their other sessions are over."""

    user_id: UUID
    workspace_id: UUID
    change: PasswordChange


class PasswordResetRequested(DomainEvent, topic="auth.v1", key="email"):
    """Somebody forgot the password of an address, which may be anybody's or nobody's: auth itself finds out, unseen."""

    email: str


class SessionOpened(DomainEvent, topic="auth.v1", key="workspace_id"):
    """Somebody logged in."""

    session_id: UUID
    user_id: UUID
    workspace_id: UUID
    device: str | None
    address: str | None


class SessionRevoked(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A session is over before its time."""

    session_id: UUID
    user_id: UUID
    workspace_id: UUID
    reason: SessionEnd


class SessionCompromised(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A refresh token of the session came a second time: one of the two who had it is a thief."""

    session_id: UUID
    user_id: UUID
    workspace_id: UUID
    device: str | None
    address: str | None
    """From where the second one came."""


class AccessRevoked(DomainEvent, topic="access.v1", key="user_id"):
    """Access tokens of a person that were issued before a moment are no longer taken, by anybody."""

    user_id: UUID
    session_id: UUID | None
    """The one session that is meant; None for all of them."""
    workspace_id: UUID | None
    """The one workspace that is meant; None for all of them."""
    issued_before: UtcDatetime


class SupportEntered(DomainEvent, topic="auth.v1", key="workspace_id"):
    """Staff came into a workspace by a grant of its owner. Told once of each person and grant."""

    grant_id: UUID
    user_id: UUID
    """Who came."""
    workspace_id: UUID
    on_behalf_of: UUID
    """The owner who let them in."""


class MailRequested(DomainEvent, topic="mail.v1", key="user_id"):
    """A person has to be told something at their address, whether or not they look at the application.

    The secret of a mail that opens a door is not told: who sends it derives it from `mail_id`.
    """

    mail_id: UUID
    user_id: UUID
    workspace_id: UUID
    address: str
    template: Keyword
    """A `MailTemplate`; newer ones may come."""
    language: str
    expires_at: UtcDatetime | None
    """When the mail's secret stops working; None where it has none."""
    workspace_name: str | None = None
    """What an invitation is to, in a stranger's words; `user_id` is then whoever invites, `workspace_id` where to."""


class RiskSettingsChanged(DomainEvent, topic="auth.v1", key="workspace_id"):
    """What a person wants to risk from now on; replaces what was said before.

    Until the first of a workspace, its person's settings are those that nobody chose: MEDIUM, and 10,000.00 USD a day.
    """

    user_id: UUID
    workspace_id: UUID
    """The person's own, personal workspace."""
    risk_tolerance: RiskTolerance
    max_daily_loss: Amount
    currency: Currency


class KycSubmitted(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person handed in what is to show who they are."""

    user_id: UUID
    workspace_id: UUID
    submission: int
    """The person's first, second..."""


class KycVerified(DomainEvent, topic="auth.v1", key="workspace_id"):
    """Staff found that a person is who they say."""

    user_id: UUID
    workspace_id: UUID
    expires_at: UtcDatetime


class KycRejected(DomainEvent, topic="auth.v1", key="workspace_id"):
    """Staff did not find that a person is who they say; what they wrote about it stays with auth."""

    user_id: UUID
    workspace_id: UUID
    reason: KycRejectionReason


class KycExpired(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A verification is too old to count."""

    user_id: UUID
    workspace_id: UUID


class KycWithdrawn(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A submission or verification counts no more: the person has changed the national identifiers that it was for."""

    user_id: UUID
    workspace_id: UUID


class OnboardingCompleted(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person has done or skipped every step that a newcomer is led through. Told once."""

    user_id: UUID
    workspace_id: UUID


class ApiKeyCreated(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A person let programs act for them in a workspace; what they called the key, and its secret, stay with auth."""

    key_id: UUID
    user_id: UUID
    workspace_id: UUID
    prefix: str
    """What people know the key by: the first characters of its secret."""
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    """Where it may be used from; anywhere when there are none."""
    expires_at: UtcDatetime


class ApiKeyRotated(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A key has another secret."""

    key_id: UUID
    user_id: UUID
    workspace_id: UUID
    previous_until: UtcDatetime | None
    """How long the secret before works beside it; None when it does not."""


class ApiKeyRevoked(DomainEvent, topic="auth.v1", key="workspace_id"):
    """A key works no more, before its time."""

    key_id: UUID
    user_id: UUID
    workspace_id: UUID
    revoked_by: UUID
    """Its person, or the workspace's owner."""
