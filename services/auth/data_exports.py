"""Who lets data exports go on? A task that asks contexts, tells people when all have answered, and ends what is old."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Database
from libs.kit.health import Probe
from libs.kit.recurring import recurring
from services.auth.commands import exports
from services.auth.commands.mails import Mailing
from services.auth.commands.privacy_terms import Terms


def data_exports(
    db: Database, encryption: Encryption, mailing: Mailing, terms: Terms, every_seconds: float
) -> AbstractAsyncContextManager[Probe]:
    """Do it in the background, at once and then every so often; several replicas share the work."""

    async def go_on() -> bool:
        async with db.work() as tx:
            asked = await exports.ask_contexts(tx, encryption)
        async with db.work() as tx:
            finished = await exports.finish_export(tx, mailing, terms.export)
        async with db.work() as tx:
            expired = await exports.expire_exports(tx)
        return asked or finished or expired

    return recurring("data_exports", go_on, every_seconds)
