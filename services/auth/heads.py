"""Who tells how far the audit trails go? A task that signs the heads of those that grew."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.recurring import recurring
from services.auth.commands import audit
from services.auth.tokens import Issuing


def audit_heads(db: Database, issuing: Issuing, every_seconds: float) -> AbstractAsyncContextManager[Probe]:
    """Sign and tell heads in the background, at once and then every so often; several replicas share the work."""

    async def publish() -> bool:
        async with db.work() as tx:
            return await audit.publish_heads(tx, issuing) == audit.MAX_HEADS

    return recurring("audit_heads", publish, every_seconds)
