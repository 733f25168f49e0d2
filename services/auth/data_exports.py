"""Who lets data exports go on? A task that asks contexts, tells people when all have answered, and ends what is old."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.recurring import recurring
from libs.kit.steps import take_steps
from services.auth.commands.exports import steps
from services.auth.commands.privacy_terms import Terms


def data_exports(
    db: Database, encryption: Encryption, terms: Terms, every_seconds: float
) -> AbstractAsyncContextManager[Probe]:
    """Do it in the background, at once and then every so often; several replicas share the work."""

    async def go_on() -> bool:
        await take_steps(db, steps(encryption, terms.export))
        return False

    return recurring("data_exports", go_on, every_seconds)
