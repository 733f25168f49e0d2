"""What does this context hold about people? What they were told, and mails with their address."""

from __future__ import annotations

from libs.kit.personal_data.holdings import Erased, Holdings
from services.notifications.model import Base

HOLDINGS = Holdings(
    Base.metadata,
    {
        "notification": Erased(),
        "feed": Erased(),
        "mail": Erased(owners=("tenant_id", "user_id")),
    },
)
