"""What is forgotten? What nobody can use any more, once it is of no more use to whoever looks into an incident either."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from libs.kit.db import Tx
from libs.kit.personal_data.holdings import ACCOUNTABILITY
from services.auth.model.login import CODES_REMEMBERED
from services.auth.repository import leftovers
from services.auth.settings import Settings

MAX_FORGOTTEN = 500
_CODES = timedelta(days=1)
"""How long codes of devices, and mailed tokens, are kept after their time: a code must not come again on the same day."""


@dataclass(frozen=True, slots=True)
class Memory:
    """How long things are kept that are over."""

    failures: timedelta
    sessions: timedelta
    invitations: timedelta
    erasures: timedelta
    """Proofs of erasures, as the certificates say."""

    @classmethod
    def of(cls, settings: Settings) -> Memory:
        """What the settings say."""
        return cls(
            max(timedelta(seconds=settings.auth_lock_seconds), CODES_REMEMBERED),
            timedelta(days=settings.auth_sessions_kept_days),
            timedelta(days=settings.auth_invitations_kept_days),
            ACCOUNTABILITY.kept_for,
        )


async def forget(tx: Tx, memory: Memory) -> dict[str, int]:
    """Forget up to MAX_FORGOTTEN things of each kind; gives how many of which. Needs a worker's transaction."""
    return {
        "devices": await leftovers.forget_devices(tx, tx.now - _CODES, MAX_FORGOTTEN),
        "mailed_tokens": await leftovers.forget_mailed_tokens(tx, tx.now - _CODES, MAX_FORGOTTEN),
        "login_guards": await leftovers.forget_guards(tx, tx.now - memory.failures, MAX_FORGOTTEN),
        "sessions": await leftovers.forget_sessions(tx, tx.now - memory.sessions, MAX_FORGOTTEN),
        "invitations": await leftovers.forget_invitations(tx, tx.now - memory.invitations, MAX_FORGOTTEN),
        "erasures": await leftovers.forget_erasures(tx, tx.now - memory.erasures, MAX_FORGOTTEN),
    }
