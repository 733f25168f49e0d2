"""Who ends verifications? A task that looks at the clock."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.logging import logger
from libs.kit.recurring import recurring
from services.auth.commands import kyc

log = logger(__name__)


def kyc_expiry(db: Database, every_seconds: float) -> AbstractAsyncContextManager[Probe]:
    """End verifications in the background, at once and then every so often; several replicas share the work."""

    async def expire() -> bool:
        async with db.work() as tx:
            expired = await kyc.expire_verifications(tx, tx.now)
        if expired:
            log.info("kyc_expired", count=expired)
        return expired == kyc.MAX_EXPIRIES

    return recurring("kyc_expiry", expire, every_seconds)
