"""What does this context hold about people? Their strategies, and what those said."""

from __future__ import annotations

from libs.kit.personal_data.holdings import Erased, Holdings, NotPersonal
from services.signals.model import Base

HOLDINGS = Holdings(
    Base.metadata,
    {
        "strategy": Erased(),
        "signal": Erased(),
        "backtest": Erased(),
        "entitlements": Erased(),
        "bar": NotPersonal("prices, for everybody"),
        "instrument": NotPersonal("instruments that can be traded"),
    },
)
