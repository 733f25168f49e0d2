"""Who ends verifications? A task that looks at the clock, and waits out a database that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.kit.cancellation import end
from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.logging import logger
from libs.kit.outages import DatabaseAway
from services.auth.commands import kyc

log = logger(__name__)


async def _expire_all(db: Database) -> None:
    while True:
        async with db.work() as tx:
            expired = await kyc.expire_verifications(tx, tx.now)
        if expired:
            log.info("kyc_expired", count=expired)
        if expired < kyc.MAX_EXPIRIES:
            return


async def _run(db: Database, every_seconds: float) -> None:
    while True:
        try:
            await _expire_all(db)
        except DatabaseAway as error:
            log.warning("kyc_expiry_interrupted", error=repr(error), retry_in_seconds=every_seconds)
        await asyncio.sleep(every_seconds)


@asynccontextmanager
async def kyc_expiry(db: Database, every_seconds: float) -> AsyncIterator[Probe]:
    """End verifications in the background, at once and then every so often; several replicas share the work."""
    task = asyncio.create_task(_run(db, every_seconds), name="auth-kyc-expiry")
    try:
        yield Probe("kyc_expiry", lambda: None, task)
    finally:
        await end(task)
