"""What is the SQL of forgetting? Rows that are of no more use, some at a time, but those that somebody works on."""

from __future__ import annotations

from datetime import datetime

from libs.kit.db import Tx


async def forget_devices(tx: Tx, expired_before: datetime, limit: int) -> int:
    """Delete devices that nobody waits for any more; gives how many."""
    return await _count(
        tx,
        "DELETE FROM auth.device_authorization WHERE id IN (SELECT id FROM auth.device_authorization "
        "WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
        expired_before,
        limit,
    )


async def forget_mailed_tokens(tx: Tx, expired_before: datetime, limit: int) -> int:
    """Delete mailed tokens that open nothing any more; gives how many."""
    return await _count(
        tx,
        "DELETE FROM auth.mailed_token WHERE id IN (SELECT id FROM auth.mailed_token "
        "WHERE expires_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
        expired_before,
        limit,
    )


async def forget_guards(tx: Tx, failed_before: datetime, limit: int) -> int:
    """Delete guards whose failures count no more; gives how many."""
    return await _count(
        tx,
        "DELETE FROM auth.login_guard WHERE subject IN (SELECT subject FROM auth.login_guard "
        "WHERE last_failed_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
        failed_before,
        limit,
    )


async def forget_sessions(tx: Tx, over_before: datetime, limit: int) -> int:
    """Delete sessions that ended or ran out, and their refresh tokens; gives how many sessions."""
    rows = await tx.fetch(
        # LEAST leaves NULL out: most sessions never end before their time.
        "SELECT id FROM auth.session WHERE LEAST(ended_at, expires_at) < $1 LIMIT $2 FOR UPDATE SKIP LOCKED",
        over_before,
        limit,
    )
    over = [row[0] for row in rows]
    await tx.fetch("DELETE FROM auth.refresh_token WHERE session_id = ANY($1::uuid[])", over)
    await tx.fetch("DELETE FROM auth.session WHERE id = ANY($1::uuid[])", over)
    return len(over)


async def forget_invitations(tx: Tx, over_before: datetime, limit: int) -> int:
    """Delete invitations that were answered, taken back or ran out; gives how many."""
    return await _count(
        tx,
        # LEAST leaves NULL out: one that nobody answers is over when its time is.
        "DELETE FROM auth.invitation WHERE id IN (SELECT id FROM auth.invitation "
        "WHERE LEAST(settled_at, expires_at) < $1 LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING 1",
        over_before,
        limit,
    )


async def forget_erasures(tx: Tx, erased_before: datetime, limit: int) -> int:
    """Delete what was kept to prove that people were erased; gives of how many."""
    rows = await tx.fetch(
        "SELECT user_id FROM auth.erasure WHERE state = 'CERTIFIED' AND erased_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED",
        erased_before,
        limit,
    )
    over = [row[0] for row in rows]
    if not over:
        return 0
    await tx.fetch("DELETE FROM auth.imported_person WHERE user_id = ANY($1::uuid[])", over)
    await tx.fetch(
        "DELETE FROM auth.erasure_answer WHERE erasure_id IN "
        "(SELECT id FROM auth.erasure WHERE user_id = ANY($1::uuid[]))",
        over,
    )
    # Also those that they cancelled before.
    await tx.fetch("DELETE FROM auth.erasure WHERE user_id = ANY($1::uuid[])", over)
    return len(over)


async def _count(tx: Tx, deletion: str, before: datetime, limit: int) -> int:
    return len(await tx.fetch(deletion, before, limit))
