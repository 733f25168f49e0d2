"""What can be configured in notifications?"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from libs.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    """What every service reads, and the limits of streams."""

    notifications_mail_url: SecretStr | None = None
    """Where mails go: `smtp://user:password@host:587`, `smtps://host`, or `file:///folder`. Without it they wait."""
    notifications_mail_sender: str = "Fillstream <noreply@localhost>"
    notifications_mail_link: Annotated[str, Field(pattern=r"^https?://[^?#]+$")] | None = None
    """Where the pages are that take the secrets of mails; unless named, mails hold the secrets themselves."""
    notifications_mail_seconds: Annotated[float, Field(gt=0)] = 1.0
    """How often it is looked for mails that are due."""
    mail_token_secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    """What secrets in mails are derived from; auth has the same. Needed to send any."""
    notifications_max_streams: Annotated[int, Field(ge=1)] = 500
    """Streams that one process keeps open at once; one more is answered with 503."""
    notifications_poll_seconds: Annotated[float, Field(gt=0)] = 5.0
    """A stream looks for new notifications at least so often, even when nothing wakes it."""
    notifications_stream_seconds: Annotated[float, Field(gt=0)] = 900.0
    """A stream ends after so long; the client comes again with a token that is valid by then, and misses nothing."""

    @model_validator(mode="after")
    def _mails_have_secrets(self) -> Self:
        if self.notifications_mail_url is not None and self.mail_token_secret is None:
            raise ValueError("mail_token_secret is needed where notifications_mail_url is set")
        return self
