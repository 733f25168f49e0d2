"""What does this context hold about people? Their books, as records; what the books were worth, for a while."""

from __future__ import annotations

from libs.kit.personal_data.holdings import TRADING_RECORDS, Erased, Holdings, Kept, NotPersonal
from services.portfolio.model import ANONYMOUS, Base

HOLDINGS = Holdings(
    Base.metadata,
    {
        "book": Kept(TRADING_RECORDS, blanked={"name": ANONYMOUS}),
        "position": Kept(TRADING_RECORDS),
        "journal_entry": Kept(TRADING_RECORDS),
        "posting": Kept(TRADING_RECORDS),
        "equity_point": Erased(),
        "mark": NotPersonal("prices, for everybody"),
    },
)
