"""Who erases people? A task that takes the next step of each erasure when it is due, one person a transaction."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.recurring import recurring
from libs.kit.steps import take_steps
from services.auth.commands.erasures import Erasing, steps


def erasures(db: Database, how: Erasing, every_seconds: float) -> AbstractAsyncContextManager[Probe]:
    """Do it in the background, at once and then every so often; several replicas share the work."""

    async def go_on() -> bool:
        await take_steps(db, steps(how))
        return False

    return recurring("erasures", go_on, every_seconds)
