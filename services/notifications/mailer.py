"""Who sends mails? A task that takes those that are due, hands them over outside of any transaction, and notes the answer.

A sender that dies between the two sends its mail again: better twice than never.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.logging import logger
from libs.kit.recurring import recurring
from services.notifications import commands
from services.notifications.commands import Outcome
from services.notifications.letters import Stationery, compose
from services.notifications.model import Mail, MailState
from services.notifications.post import Post, PostAway, PostRefused

log = logger(__name__)


async def _hand_over(post: Post, mail: Mail, how: Stationery) -> Outcome:
    try:
        message = compose(mail, how)
    except ValueError as error:
        log.warning("mail_impossible", mail_id=str(mail.id), error=str(error))
        return Outcome(str(error), final=True)
    try:
        await post.deliver(message)
    except PostRefused as error:
        log.warning("mail_refused", mail_id=str(mail.id), error=str(error))
        return Outcome(str(error), final=True)
    except PostAway as error:
        log.warning("mail_delayed", mail_id=str(mail.id), error=str(error))
        return Outcome(str(error))
    return Outcome()


async def _send_one(db: Database, post: Post, how: Stationery) -> bool:
    """Send one mail that is due, if it is still wanted; whether there was one."""
    async with db.work() as tx:
        mail = await commands.take_mail(tx)
    if mail is None:
        return False
    if mail.state == MailState.QUEUED:
        outcome = await _hand_over(post, mail, how)
        async with db.work() as tx:
            await commands.settle_mail(tx, mail, outcome)
    return True


def mailer(db: Database, post: Post, how: Stationery, every_seconds: float) -> AbstractAsyncContextManager[Probe]:
    """Send mails in the background; several replicas share the work."""

    async def send() -> bool:
        return await _send_one(db, post, how)

    return recurring("mailer", send, every_seconds)
