"""What does this context hold about people? Nothing but answers to requests that may come again."""

from __future__ import annotations

from libs.kit.personal_data.holdings import Holdings, NotPersonal
from services.marketdata.model import Base

HOLDINGS = Holdings(
    Base.metadata,
    {
        "instrument": NotPersonal("what is traded, for everybody"),
        "series": NotPersonal("how far prices are known, for everybody"),
        "bar": NotPersonal("prices, for everybody"),
    },
)
