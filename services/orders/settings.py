"""What can be configured in orders?"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from libs.kit.settings import Settings as KitSettings
from libs.schema.values import Timeframe
from services.orders.matching import PaperVenue


class Settings(KitSettings):
    """What every service reads, and how the paper venue trades."""

    orders_venue_timeframe: Timeframe = Timeframe.D1
    """The bars that the paper venue matches against; it looks at no others."""
    orders_commission_rate: Annotated[Decimal, Field(ge=0, lt=1)] = Decimal("0.001")
    """What a fill costs, as a part of its notional; rounded half-even to the currency's minor unit."""

    @property
    def paper_venue(self) -> PaperVenue:
        """The venue that these settings describe."""
        return PaperVenue(self.orders_venue_timeframe, self.orders_commission_rate)
