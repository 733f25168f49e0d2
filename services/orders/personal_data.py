"""What does this context hold about people? Accounts and what they traded, as records; limits and plans, for a while."""

from __future__ import annotations

from libs.kit.personal_data.holdings import TRADING_RECORDS, Erased, Holdings, Kept, NotPersonal
from services.orders.model import Base

HOLDINGS = Holdings(
    Base.metadata,
    {
        "account": Kept(TRADING_RECORDS, blanked={"name": "erased"}),
        "order": Kept(TRADING_RECORDS),
        "fill": Kept(TRADING_RECORDS),
        "position": Kept(TRADING_RECORDS),
        "entitlement": Erased(),
        "risk_setting": Erased(),
        "market": NotPersonal("instruments that can be traded"),
        "bar": NotPersonal("prices, for everybody"),
    },
)
