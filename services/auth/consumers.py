"""Who asked over the bus? Billing: which plan a workspace is on."""

from __future__ import annotations

from collections.abc import Sequence

from libs.kit.db import Tx
from libs.kit.handlers import Handlers, on
from libs.kit.settings import Settings
from libs.schema.billing import EntitlementsChanged
from libs.schema.event import Envelope
from services.auth.commands.tiers import change_tiers
from services.auth.repository.tiers import Plan


@on(EntitlementsChanged)
async def remember_tiers(tx: Tx, changed: Sequence[Envelope[EntitlementsChanged]]) -> None:
    """A workspace's tier is the plan that it is on."""
    await change_tiers(tx, [Plan(one.event.workspace_id, one.event.plan, one.sequence) for one in changed])


def handlers(_settings: Settings) -> Handlers:
    """What this context listens to."""
    return (remember_tiers,)
