"""Who forgets what is over? A task that looks at the clock."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.logging import logger
from libs.kit.recurring import recurring
from services.auth.commands import leftovers
from services.auth.commands.leftovers import Memory

log = logger(__name__)


def forgetting(db: Database, memory: Memory, every_seconds: float) -> AbstractAsyncContextManager[Probe]:
    """Forget in the background, at once and then every so often; several replicas share the work."""

    async def forget() -> bool:
        async with db.work() as tx:
            forgotten = await leftovers.forget(tx, memory)
        if any(forgotten.values()):
            log.info("forgotten", **forgotten)
        return leftovers.MAX_FORGOTTEN in forgotten.values()

    return recurring("forgetting", forget, every_seconds)
