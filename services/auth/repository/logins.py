"""What is the SQL of logins? Guards are made when they are first asked for, and locked."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from libs.kit.db import Tx
from services.auth.model.login import LoginGuard


async def lock_guards(tx: Tx, subjects: Sequence[bytes]) -> dict[bytes, LoginGuard]:
    """The guards of these subjects, locked in one order until the transaction ends."""
    ordered = sorted(set(subjects))
    fresh = [{"subject": subject, "failures": 0, "last_failed_at": tx.now} for subject in ordered]
    while True:
        await tx.execute(insert(LoginGuard).values(fresh).on_conflict_do_nothing())
        found = await tx.scalars(
            select(LoginGuard).where(LoginGuard.subject.in_(ordered)).order_by(LoginGuard.subject).with_for_update()
        )
        # One that nobody needed for long may be forgotten between the two.
        if len(found) == len(ordered):
            return {guard.subject: guard for guard in found}
