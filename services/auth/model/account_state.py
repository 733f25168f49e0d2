"""How does an account stand? As staff see it, in one word."""

from __future__ import annotations

from enum import StrEnum


class AccountState(StrEnum):
    """Whether a person may log in, and if not, what keeps them out."""

    ACTIVE = "ACTIVE"
    LOCKED = "LOCKED"
    """For a while: guesses or support locked them out."""
    DEACTIVATED = "DEACTIVATED"
    DELETED = "DELETED"
    """Gone for all but staff, who can restore them."""
