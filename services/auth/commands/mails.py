"""What happens when a person has to be written to? An event asks for the mail; its secret is kept as a hash alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from pydantic import SecretStr

from libs.kit.db import Tx
from libs.kit.ids import uuid7
from libs.kit.mail_secrets import mail_secret
from libs.kit.rate_limits import RateLimit, Verdict, take_within
from libs.schema.auth import MailRequested, MailTemplate
from libs.schema.event import Cause
from services.auth.model import User, email_key
from services.auth.model.mailed_token import MailedToken, Purpose
from services.auth.repository import mailed_tokens, users
from services.auth.settings import Settings
from services.auth.tokens import Ticket

TEMPLATES: Mapping[Purpose, MailTemplate] = MappingProxyType(
    {
        Purpose.VERIFY_EMAIL: MailTemplate.VERIFY_EMAIL,
        Purpose.RESET_PASSWORD: MailTemplate.RESET_PASSWORD,
        Purpose.UNLOCK: MailTemplate.ACCOUNT_LOCKED,
    }
)


@dataclass(frozen=True, slots=True)
class Mailing:
    """How this installation writes to people."""

    key: SecretStr
    lifetimes: Mapping[Purpose, timedelta]
    most: RateLimit
    """Mails of one kind to one address, of those that strangers can cause."""

    @classmethod
    def of(cls, settings: Settings) -> Mailing:
        """What the settings say."""
        return cls(
            settings.mail_token_secret,
            MappingProxyType(
                {
                    Purpose.VERIFY_EMAIL: timedelta(hours=settings.auth_verification_hours),
                    Purpose.RESET_PASSWORD: timedelta(minutes=settings.auth_reset_minutes),
                    Purpose.UNLOCK: timedelta(seconds=settings.auth_lock_seconds),
                }
            ),
            settings.mails_to_an_address,
        )

    async def may_write(self, tx: Tx, email: str, template: MailTemplate) -> Verdict:
        """Count one more mail of a kind to an address; not allowed when it gets so many that somebody floods it."""
        return await take_within(tx, self.most, f"{template}\0{email_key(email)}")

    def tell_last(self, tx: Tx, user: User, template: MailTemplate) -> bytes:
        """Write to a person, whose row `tx` has locked, with a secret that works without an end; gives its hash."""
        mail_id = uuid7()
        tx.publish(user, _mail(user, mail_id, template, None, tx.now))
        return Ticket(user.default_workspace_id, mail_secret(self.key, mail_id)).digest

    async def send(self, tx: Tx, user: User, purpose: Purpose, cause: Cause | None = None) -> Verdict:
        """Send a person, whose row `tx` has locked, a secret for this purpose, unless they were sent too many.

        Those sent before go on working: whoever asks in a person's place would take theirs away. `cause` is the event that a
        handler follows.
        """
        verdict = await self.may_write(tx, user.email, TEMPLATES[purpose])
        if verdict.allowed:
            self._send(tx, user, purpose, cause)
        return verdict

    def _send(self, tx: Tx, user: User, purpose: Purpose, cause: Cause | None) -> None:
        mail_id, expires_at = uuid7(), tx.now + self.lifetimes[purpose]
        tx.add(
            MailedToken(
                id=mail_id,
                tenant_id=user.default_workspace_id,
                user_id=user.id,
                purpose=purpose,
                email=user.email,
                token_hash=Ticket(user.default_workspace_id, mail_secret(self.key, mail_id)).digest,
                expires_at=expires_at,
            )
        )
        tx.publish(user, _mail(user, mail_id, TEMPLATES[purpose], expires_at, tx.now), cause=cause)

    async def warn(self, tx: Tx, user: User, template: MailTemplate) -> None:
        """Write to a person, whose row `tx` has locked, of what strangers can cause, unless they were told too often."""
        if (await self.may_write(tx, user.email, template)).allowed:
            write_to(tx, user, template)


def write_to(tx: Tx, user: User, template: MailTemplate, cause: Cause | None = None) -> None:
    """Write to a person, whose row `tx` has locked, a mail without a secret. `cause` is the event that a handler follows."""
    tx.publish(user, _mail(user, uuid7(), template, None, tx.now), cause=cause)


@dataclass(frozen=True, slots=True)
class Due:
    """Somebody who is to be written to, and the event that gives the reason."""

    user_id: UUID
    cause: Cause


async def lock_addressees(tx: Tx, whom: Sequence[UUID | str]) -> None:
    """Lock people by their ids or addresses, in one order. Needs a worker's transaction."""
    await users.lock_those(
        tx, [one for one in whom if isinstance(one, UUID)], [one for one in whom if isinstance(one, str)]
    )


async def write_to_each(tx: Tx, template: MailTemplate, due: Sequence[Due]) -> None:
    """Write to people what happened in some workspace; their mail is of their home. Needs a worker's transaction."""
    people = await users.lock_all(tx, [one.user_id for one in due])
    for one in due:
        if one.user_id in people:
            write_to(tx, people[one.user_id], template, one.cause)


@dataclass(frozen=True, slots=True)
class Used:
    """A mailed token that worked, and whose it was; both are locked."""

    token: MailedToken
    user: User


async def use_token(tx: Tx, presented: Ticket, purpose: Purpose) -> Used | None:
    """Use up a mailed token, and with it all others for its purpose; None when it does not work."""
    owner_id = await mailed_tokens.owner_of(tx, presented.digest, purpose)
    user = None if owner_id is None else await users.lock_known(tx, owner_id)
    token = await mailed_tokens.lock_token(tx, presented.digest, purpose)
    if user is None or token is None or not token.use(tx.now):
        return None
    await mailed_tokens.void_tokens(tx, user.id, purpose)
    return Used(token, user)


def _mail(
    user: User, mail_id: UUID, template: MailTemplate, expires_at: datetime | None, at: datetime
) -> MailRequested:
    return MailRequested(
        occurred_at=at,
        mail_id=mail_id,
        user_id=user.id,
        workspace_id=user.default_workspace_id,
        address=user.email,
        template=template,
        language=user.language,
        expires_at=expires_at,
    )
