"""What can be configured in the portfolio?"""

from __future__ import annotations

from libs.kit.settings import Settings as KitSettings
from libs.schema.values import Timeframe


class Settings(KitSettings):
    """What every service reads, and which bars value the accounts."""

    portfolio_mark_timeframe: Timeframe = Timeframe.D1
    """Accounts are valued at the closes of bars of this length. Performance is annualised as if they were days."""
