"""An operator begins an erasure, sees it, and gets its certificate once every context has answered."""

from __future__ import annotations

from uuid import UUID

import httpx2

from fillstream.contexts import load
from fillstream.installation import Installation
from fillstream.serve import serving
from libs.kit.db import Database, database
from libs.kit.ids import uuid7
from services.auth.settings import Settings
from tests.auth.privacy import OTHERS
from tests.system.commands import Done, fillstream
from tests.world import eventually

PERSON = {"email": "ada@example.com", "password": "correct horse battery staple"}


async def register(url: str) -> str:
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        return str((await client.post("/v1/auth/register", json=PERSON)).raise_for_status().json()["user_id"])


async def reach(db: Database, erasure_id: str, state: str) -> None:
    async with db.work() as tx:
        await tx.fetch("UPDATE erasure SET next_at = now() WHERE id = $1", UUID(erasure_id))

    async def reached() -> None:
        async with db.work() as tx:
            [row] = await tx.fetch("SELECT state FROM erasure WHERE id = $1", UUID(erasure_id))
        assert row[0] == state

    await eventually(reached)


async def answer_for_the_others(db: Database, erasure_id: str) -> None:
    async with db.work() as tx:
        await tx.fetch(
            "INSERT INTO erasure_answer (erasure_id, context, tenant_id, erased, kept) "
            "SELECT id, context, tenant_id, '[]', '[]' FROM erasure, unnest($2::text[]) AS context WHERE id = $1",
            UUID(erasure_id),
            list(OTHERS),
        )


async def test_an_erasure_is_begun_seen_and_certified(where: Installation) -> None:
    async def erasure(*arguments: str) -> Done:
        return await fillstream("erasure", *arguments, **where.environment())

    often = where.with_values(auth_privacy_seconds=0.1)
    async with serving([load("auth")], often) as running, database(where.settings(Settings), "auth") as db:
        user_id = await register(running.url)
        begun = await erasure("begin", user_id)
        assert begun.status == 0, begun.err
        erasure_id = begun.out.split()[1]
        await reach(db, erasure_id, "CLOSED")
        await reach(db, erasure_id, "ERASED")
        early = await erasure("certificate", erasure_id)
        await answer_for_the_others(db, erasure_id)
        await reach(db, erasure_id, "CERTIFIED")
    certified, seen = await erasure("certificate", erasure_id), await erasure("list")
    assert (early.status, "there is no certificate yet" in early.err) == (1, True)
    assert (certified.status, certified.out.count(".")) == (0, 2)
    assert [line.split()[:4] for line in seen.out.splitlines()] == [[erasure_id, "user", user_id, "CERTIFIED"]]
    unknown = await erasure("begin", str(uuid7()))
    assert (unknown.status, "there is no user" in unknown.err) == (1, True)
