"""How long does an installation wait, and keep what it collected?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from libs.kit.personal_data.answers import retention
from services.auth.settings import Settings


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say of exports and erasures."""

    export: timedelta
    """How long an export is there."""
    waiting: timedelta
    """How long somebody may think again."""
    closing: timedelta
    """How long they are shut out before they are erased."""
    messages: timedelta
    """How long messages are kept."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What the settings say."""
        return cls(
            timedelta(days=settings.auth_export_days),
            timedelta(days=settings.auth_erasure_days),
            timedelta(seconds=settings.auth_erasure_closing_seconds),
            retention(settings),
        )
