"""What happens to risk settings? Auth's word is remembered; a later change holds orders to it."""

from __future__ import annotations

from collections.abc import Sequence

from libs.kit.db import Tx
from services.orders.repository.risk import RiskSettings, save_risk_settings


async def change_risk_settings(tx: Tx, said: Sequence[RiskSettings]) -> None:
    """Remember what people want to risk."""
    await save_risk_settings(tx, said)
