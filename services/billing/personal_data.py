"""What does this context hold about people? What they subscribed to."""

from __future__ import annotations

from libs.kit.personal_data.holdings import TAX_RECORDS, Holdings, Kept, NotPersonal
from services.billing.model import Base

HOLDINGS = Holdings(
    Base.metadata,
    {
        "subscription": Kept(TAX_RECORDS),
        "plan": NotPersonal("what can be subscribed to, for everybody"),
    },
)
