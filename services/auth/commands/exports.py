"""What happens to a data export? It is asked for, every context answers, and after some days nobody can open it any more.

Whoever works on an export has locked its person first.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from libs.kit.acts import Origin
from libs.kit.crypto.encryption import Encryption
from libs.kit.db import Tx
from libs.kit.personal_data.answers import subject_of, tell_holdings
from libs.schema.auth import MailTemplate
from libs.schema.privacy import DataExportAnswered, DataExportPart
from services.auth.commands.acts import tell_of_user
from services.auth.commands.mails import Mailing
from services.auth.model import DataExport
from services.auth.personal_data import HOLDINGS
from services.auth.repository import erasures, exports, users


async def request_export(
    tx: Tx, encryption: Encryption, home_id: UUID, user_id: UUID, lifetime: timedelta, origin: Origin
) -> DataExport:
    """Begin to collect all that is held about a person; while that is under way already, it goes on."""
    user = await users.lock_user(tx, user_id)
    known = await exports.collecting(tx, user_id)
    if known is not None:
        return known
    export = DataExport.begin(home_id, user_id, await encryption.keyring(tx, home_id), tx.now, lifetime)
    tx.add(export)
    tell_of_user(tx, "data_export.requested", user, origin)
    return export


async def ask_contexts(tx: Tx, encryption: Encryption) -> bool:
    """Ask every context for what it holds about the next person, and answer for this one; whether there was one.

    Needs a worker's transaction.
    """
    user_id = await exports.unasked(tx)
    if user_id is None:
        return False
    await users.lock_user(tx, user_id)
    export = await exports.collecting(tx, user_id)
    if export is None or export.asked_at is not None:
        return True
    alone = await erasures.workspaces_alone(tx, export.user_id, export.tenant_id)
    asked = export.ask(alone, tx.now)
    tx.publish(export, asked)
    keyrings = await encryption.keyrings(tx, subject_of(asked).workspace_ids)
    await tell_holdings(tx, HOLDINGS, asked, keyrings, tx.cause)
    return True


async def keep_part(tx: Tx, part: DataExportPart) -> None:
    """Keep a part that a context told, once. Needs a worker's transaction."""
    await exports.insert_part(tx, part)


async def keep_answer(tx: Tx, answer: DataExportAnswered) -> None:
    """Keep that a context has told all, once. Needs a worker's transaction."""
    await exports.insert_answer(tx, answer)


async def finish_export(tx: Tx, mailing: Mailing, lifetime: timedelta) -> bool:
    """Let the next person know that their export is complete; whether there was one. Needs a worker's transaction."""
    user_id = await exports.complete(tx)
    if user_id is None:
        return False
    user = await users.lock_user(tx, user_id)
    export = await exports.collecting(tx, user_id)
    if export is not None:
        export.finish(tx.now, lifetime)
        mailing.tell(tx, user, MailTemplate.EXPORT_READY)
    return True


async def expire_exports(tx: Tx) -> bool:
    """Destroy what the next person can't download any more; whether there was one. Needs a worker's transaction."""
    user_id = await exports.expired(tx)
    if user_id is None:
        return False
    await users.lock_user(tx, user_id)
    for export in await exports.lock_expired(tx, user_id):
        export.expire()
        await exports.delete_parts(tx, export.id)
    return True
