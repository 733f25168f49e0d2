"""Who asked over the bus? Auth, when people want what is held about them, or go; market data itself comes from feeds."""

from __future__ import annotations

from libs.kit.handlers import Handlers
from libs.kit.personal_data.answers import answers
from services.marketdata.personal_data import HOLDINGS
from services.marketdata.settings import Settings


def handlers(settings: Settings) -> Handlers:
    """What this context listens to."""
    return answers(HOLDINGS, settings)
