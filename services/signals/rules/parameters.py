"""What can be chosen for every kind of strategy?"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from libs.schema.values import Ratio

MAX_PERIOD = 500

Period = Annotated[int, Field(strict=True, ge=1, le=MAX_PERIOD)]
"""A number of bars."""
Percentage = Annotated[Ratio, Field(gt=0, lt=100)]
"""Strictly between 0 and 100: `5` is five percent."""


class RuleParameters(BaseModel):
    """The levels that a signal may name beside its entry; both are advice to whoever trades on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stop_loss_pct: Percentage | None = None
    """How far against the position the stop lies, in percent of the entry price."""
    take_profit_pct: Percentage | None = None
    """How far in favour of the position the target lies, in percent of the entry price."""
