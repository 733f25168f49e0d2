"""Who tells how far the audit trails go? A task that signs the heads of those that grew, and waits out a database that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.kit.cancellation import end
from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.logging import logger
from libs.kit.outages import Away
from services.auth.commands import audit
from services.auth.tokens import Issuing

log = logger(__name__)


async def _publish_all(db: Database, issuing: Issuing) -> None:
    while True:
        async with db.work() as tx:
            published = await audit.publish_heads(tx, issuing)
        if published < audit.MAX_HEADS:
            return


async def _run(db: Database, issuing: Issuing, every_seconds: float) -> None:
    while True:
        try:
            await _publish_all(db, issuing)
        except Away as error:
            log.warning("audit_heads_interrupted", error=repr(error), retry_in_seconds=every_seconds)
        await asyncio.sleep(every_seconds)


@asynccontextmanager
async def audit_heads(db: Database, issuing: Issuing, every_seconds: float) -> AsyncIterator[Probe]:
    """Sign and tell heads in the background, at once and then every so often; several replicas share the work."""
    task = asyncio.create_task(_run(db, issuing, every_seconds), name="auth-audit-heads")
    try:
        yield Probe("audit_heads", lambda: None, task)
    finally:
        await end(task)
