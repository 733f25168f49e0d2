"""Who erases people? A task that takes the next step of each erasure when it is due, one person a transaction."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.recurring import recurring
from services.auth.commands.erasures import Erasing, certify_next, close_next, erase_next


def erasures(db: Database, how: Erasing, every_seconds: float) -> AbstractAsyncContextManager[Probe]:
    """Do it in the background, at once and then every so often; several replicas share the work."""

    async def go_on() -> bool:
        async with db.work() as tx:
            closed = await close_next(tx, how)
        async with db.work() as tx:
            erased = await erase_next(tx, how)
        async with db.work() as tx:
            certified = await certify_next(tx, how.issuing)
        return closed or erased or certified

    return recurring("erasures", go_on, every_seconds)
