"""Who asked over the bus? Nobody: people come over HTTP."""

from __future__ import annotations

from libs.kit.handlers import Handlers
from libs.kit.settings import Settings


def handlers(_settings: Settings) -> Handlers:
    """What this context listens to."""
    return ()
