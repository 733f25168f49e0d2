"""Who asked over the bus? Whatever happens to a workspace that a person wants to hear of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from libs.kit.db import Tx
from libs.kit.handlers import Handler, Handlers, on
from libs.kit.personal_data.answers import answers
from libs.kit.personal_data.erased import unless_erased
from libs.schema.auth import MailRequested, MailTemplate, UserRegistered
from libs.schema.event import DomainEvent, Envelope
from libs.schema.orders import OrderDenied, OrderExpired, OrderFilled
from libs.schema.signals import SignalGenerated
from libs.schema.workspaces import WorkspaceCreated
from services.notifications import commands, wording
from services.notifications.model import Notice
from services.notifications.personal_data import HOLDINGS
from services.notifications.repository import WantedMail
from services.notifications.settings import Settings

E = TypeVar("E", bound=DomainEvent)


def _telling(event: type[E], words: Callable[[Envelope[E]], Notice]) -> Handler[E]:
    async def tell(tx: Tx, envelopes: Sequence[Envelope[E]]) -> None:
        await commands.tell(tx, [words(envelope) for envelope in envelopes])

    return Handler(event, tell)


@on(MailRequested)
async def queue_mails(tx: Tx, envelopes: Sequence[Envelope[MailRequested]]) -> None:
    """Whoever has to be written to gets a mail."""
    await commands.want_mails(tx, [_wanted(envelope) for envelope in envelopes])


def _wanted(envelope: Envelope[MailRequested]) -> WantedMail:
    """The mail in our own words. Raises ValueError for a template that we have none for."""
    event = envelope.event
    return WantedMail(
        id=event.mail_id,
        tenant_id=event.workspace_id,
        event_id=envelope.id,
        user_id=event.user_id,
        address=event.address,
        template=MailTemplate(event.template),
        language=event.language,
        expires_at=event.expires_at,
        occurred_at=event.occurred_at,
        workspace_name=event.workspace_name,
    )


_HANDLERS = unless_erased(
    queue_mails,
    _telling(UserRegistered, wording.welcome),
    _telling(WorkspaceCreated, wording.new_workspace),
    _telling(SignalGenerated, wording.signal),
    _telling(OrderFilled, wording.fill),
    _telling(OrderDenied, wording.denial),
    _telling(OrderExpired, wording.expiry),
)


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""
    return (*_HANDLERS, *answers(HOLDINGS, settings))
