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
from libs.kit.steps import Step
from libs.schema.auth import MailTemplate
from libs.schema.privacy import DataExportAnswered, DataExportPart
from services.auth.commands.acts import tell_of_user
from services.auth.commands.mails import write_to
from services.auth.model import DataExport, ExportState
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


def steps(encryption: Encryption, lifetime: timedelta) -> tuple[Step, ...]:
    """What becomes of exports by themselves: contexts are asked, people are told when all have answered, what is old ends."""

    async def ask(tx: Tx, export_id: UUID) -> None:
        await ask_contexts(tx, encryption, export_id)

    async def finish(tx: Tx, export_id: UUID) -> None:
        await finish_export(tx, export_id, lifetime)

    return (
        Step("ask_for_export", exports.unasked, ask, put_off),
        Step("finish_export", exports.complete, finish, put_off),
        Step("expire_export", exports.expired, expire_export, put_off),
    )


async def ask_contexts(tx: Tx, encryption: Encryption, export_id: UUID) -> None:
    """Ask every context for what it holds about a person, and answer for this one. Needs a worker's transaction."""
    export = await _lock(tx, export_id)
    if export is None or export.state != ExportState.COLLECTING or export.asked_at is not None:
        return
    alone = await erasures.workspaces_alone(tx, export.user_id, export.tenant_id)
    asked = export.ask(alone, tx.now)
    tx.publish(export, asked)
    keyrings = await encryption.keyrings(tx, subject_of(asked).workspace_ids)
    await tell_holdings(tx, HOLDINGS, asked, keyrings, tx.cause)


async def keep_part(tx: Tx, part: DataExportPart) -> None:
    """Keep a part that a context told, once. Needs a worker's transaction."""
    await exports.insert_part(tx, part)


async def keep_answer(tx: Tx, answer: DataExportAnswered) -> None:
    """Keep that a context has told all, once. Needs a worker's transaction."""
    await exports.insert_answer(tx, answer)


async def finish_export(tx: Tx, export_id: UUID, lifetime: timedelta) -> None:
    """Let a person know that their export is complete. Needs a worker's transaction."""
    export = await _lock(tx, export_id)
    if export is not None and export.state == ExportState.COLLECTING:
        export.finish(tx.now, lifetime)
        write_to(tx, await users.lock_user(tx, export.user_id), MailTemplate.EXPORT_READY)


async def expire_export(tx: Tx, export_id: UUID) -> None:
    """Destroy what its person can't download any more. Needs a worker's transaction."""
    export = await _lock(tx, export_id)
    if export is not None and export.expires_at <= tx.now:
        export.expire()
        await exports.delete_parts(tx, export.id)


async def put_off(tx: Tx, export_id: UUID) -> None:
    """Let an export wait that something failed with, if it is still due. Needs a worker's transaction."""
    export = await exports.lock(tx, export_id)
    if export is not None and export.next_at <= tx.now:
        export.put_off(tx.now)


async def _lock(tx: Tx, export_id: UUID) -> DataExport | None:
    """An export, its person's row locked before it; None when it went with them."""
    user_id = await exports.person_of(tx, export_id)
    if user_id is None:
        return None
    await users.lock_user(tx, user_id)
    return await exports.lock(tx, export_id)
