"""Who ends trials? A task that looks at the clock."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.logging import logger
from libs.kit.recurring import recurring
from services.billing import commands

log = logger(__name__)


def trial_expiry(db: Database, every_seconds: float) -> AbstractAsyncContextManager[Probe]:
    """End trials in the background, at once and then every so often; several replicas share the work."""

    async def expire() -> bool:
        async with db.work() as tx:
            expired = await commands.expire_trials(tx, tx.now)
        if expired:
            log.info("trials_expired", count=expired)
        return expired == commands.MAX_EXPIRIES

    return recurring("trial_expiry", expire, every_seconds)
