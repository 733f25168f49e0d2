"""What can be configured in signals?"""

from __future__ import annotations

from libs.kit.settings import Settings as KitSettings


class Settings(KitSettings):
    """What every service reads, and nothing more yet."""
