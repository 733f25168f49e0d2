"""What can be configured in notifications?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from libs.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    """What every service reads, and the limits of streams."""

    notifications_max_streams: Annotated[int, Field(ge=1)] = 500
    """Streams that one process keeps open at once; one more is answered with 503."""
    notifications_poll_seconds: Annotated[float, Field(gt=0)] = 5.0
    """A stream looks for new notifications at least so often, even when nothing wakes it."""
    notifications_stream_seconds: Annotated[float, Field(gt=0)] = 900.0
    """A stream ends after so long; the client comes again with a token that is valid by then, and misses nothing."""
