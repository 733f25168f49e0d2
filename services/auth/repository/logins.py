"""What is the SQL of logins? Guards are made when they are first asked for, and locked."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from libs.kit.db import Tx
from services.auth.model.login import LoginGuard

# SQLAlchemy would compile a statement of several rows anew at each login.
_INSERT = """
    INSERT INTO login_guard (subject, failures, last_failed_at)
    SELECT subject, 0, $2 FROM unnest($1::bytea[]) AS new (subject) ON CONFLICT DO NOTHING
"""


async def lock_guards(tx: Tx, subjects: Sequence[bytes]) -> dict[bytes, LoginGuard]:
    """The guards of these subjects, locked in one order until the transaction ends."""
    ordered = sorted(set(subjects))
    while True:
        await tx.fetch(_INSERT, ordered, tx.now)
        found = await tx.scalars(
            select(LoginGuard).where(LoginGuard.subject.in_(ordered)).order_by(LoginGuard.subject).with_for_update()
        )
        # One that nobody needed for long may be forgotten between the two.
        if len(found) == len(ordered):
            return {guard.subject: guard for guard in found}
