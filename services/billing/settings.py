"""What can be configured in billing?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from libs.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    """What every service reads, and how long trials are."""

    billing_trial_days: Annotated[int, Field(ge=0, le=3_650)] = 14
    billing_expiry_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How often it is looked for trials that have ended."""
