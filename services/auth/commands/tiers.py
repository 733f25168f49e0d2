"""What happens to tiers? Billing's word is kept."""

from __future__ import annotations

from collections.abc import Sequence

from libs.kit.db import Tx
from services.auth.repository import tiers


async def change_tiers(tx: Tx, plans: Sequence[tiers.Plan]) -> None:
    """Remember which plans workspaces are on. Needs a worker's transaction."""
    await tiers.save_plans(tx, plans)
