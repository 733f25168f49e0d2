"""Who asked over the bus? Auth itself: what must take as long for a stranger as for a user is done after the answer."""

from __future__ import annotations

from collections.abc import Sequence

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on
from libs.schema.auth import PasswordResetRequested
from libs.schema.event import Envelope
from services.auth.commands import passwords
from services.auth.commands.mails import Mailing
from services.auth.commands.passwords import Asked
from services.auth.settings import Settings


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""

    @on(PasswordResetRequested)
    async def send_resets(tx: Tx, envelopes: Sequence[Envelope[PasswordResetRequested]]) -> None:
        """Whoever forgot a password gets a mail, if they are somebody."""
        asked = [Asked(e.event.email, e.follow()) for e in envelopes]
        await passwords.send_resets(tx, Mailing.of(settings), asked)

    return (send_resets,)
