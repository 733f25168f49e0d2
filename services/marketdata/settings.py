"""What can be configured in market data?"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from libs.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    """What every service reads, and how far feeds may be ahead."""

    marketdata_bar_skew_seconds: Annotated[float, Field(ge=0, le=3_200_000_000)] = 5.0
    """How long before its close, by this service's clock, a bar is taken as over: clocks of feeds run ahead a little."""

    @property
    def bar_skew(self) -> timedelta:
        """The same, as a duration."""
        return timedelta(seconds=self.marketdata_bar_skew_seconds)
