"""What is the SQL of logins? Guards are made when they are first asked for, and locked."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import LargeBinary, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from libs.kit.db import Tx
from services.auth.model.login import LoginGuard


async def lock_guards(tx: Tx, subjects: Sequence[bytes]) -> dict[bytes, LoginGuard]:
    """The guards of these subjects, locked in one order until the transaction ends."""
    # As one array: a statement of several rows would be compiled anew for each number of them.
    new = func.unnest(literal(sorted(set(subjects)), ARRAY(LargeBinary))).column_valued("new")
    statement = (
        insert(LoginGuard)
        .from_select(["subject", "failures", "last_failed_at"], select(new, literal(0), literal(tx.now)))
        # To write what is there already locks the row, and gives it back.
        .on_conflict_do_update(index_elements=[LoginGuard.subject], set_={"failures": LoginGuard.failures})
        .returning(LoginGuard)
    )
    return {guard.subject: guard for guard in await tx.scalars(statement)}
