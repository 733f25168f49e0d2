"""Who asked over the bus? Nobody: market data comes from feeds, not from other contexts."""

from __future__ import annotations

from libs.kit.handlers import Handlers
from services.marketdata.settings import Settings


def handlers(_settings: Settings) -> Handlers:
    """What this context listens to."""
    return ()
