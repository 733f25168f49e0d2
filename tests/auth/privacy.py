"""Who wants all that is held about them, or wants to go? People in tests, the tasks by hand, and contexts that answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from httpx2 import AsyncClient, Response

from libs.kit.outbox import OutboxRow
from libs.kit.personal_data.parcels import Label
from libs.kit.steps import take_steps
from libs.schema.privacy import (
    HOLDERS,
    DataExportAnswered,
    DataExportPart,
    DataExportRequested,
    HeldRows,
    KeptRows,
    PersonalDataErased,
)
from services.auth.api.parts import Parts
from services.auth.commands import erasures, exports
from services.auth.commands.erasures import Erasing
from tests.auth.builders import Person
from tests.world import Running, World

OTHERS = tuple(name for name in HOLDERS if name != "auth")
SELDOM = 3_600.0
"""Seconds between two looks of the tasks: tests take the steps themselves."""


def how(auth: Running) -> Erasing:
    """What the task of a running auth erases with."""
    parts: Parts = auth.service.http.state.parts
    return Erasing(parts.encryption, parts.issuing, parts.mailing, parts.terms)


async def _all(auth: Running, name: str) -> int:
    """Take a step with all that is due; gives how often. What fails raises."""
    steps = (*erasures.steps(how(auth)), *exports.steps(how(auth).encryption, timedelta(days=7)))
    [step] = [one for one in steps if one.name == name]
    done = 0
    while True:
        async with auth.db.work() as tx:
            which = await step.due(tx)
        if which is None:
            return done
        async with auth.db.work() as tx:
            await step.take(tx, which)
        done += 1


async def go_on(auth: Running) -> None:
    """Do once what the task of erasures does."""
    await take_steps(auth.db, erasures.steps(how(auth)))


async def close(auth: Running) -> int:
    """Shut out everybody whose time has come; gives how many."""
    return await _all(auth, "close_account")


async def erase(auth: Running) -> int:
    """Erase everybody who was shut out long enough; gives how many."""
    return await _all(auth, "erase")


async def certify(auth: Running) -> int:
    """Certify what everybody has answered; gives how many."""
    return await _all(auth, "certify_erasure")


async def ask_contexts(auth: Running) -> int:
    """Ask for everybody's exports; gives how many."""
    return await _all(auth, "ask_for_export")


async def finish(auth: Running) -> int:
    """Let exports be ready that are complete; gives how many."""
    return await _all(auth, "finish_export")


async def expire(auth: Running) -> int:
    """End exports that are old; gives how many."""
    return await _all(auth, "expire_export")


async def wish(client: AsyncClient, person: Person) -> dict[str, Any]:
    """Ask to be erased."""
    answer = await client.post("/v1/me/erasure", headers=person.bearer)
    assert answer.status_code == 202, answer.text
    asked: dict[str, Any] = answer.json()
    return asked


async def come(world: World) -> None:
    """Let the time of every erasure's next step come."""
    await world.fetch("UPDATE auth.erasure SET next_at = now() - interval '1 second'")


async def gone(world: World, auth: Running, client: AsyncClient, person: Person) -> UUID:
    """Somebody who was erased by auth; gives the erasure's id."""
    asked = await wish(client, person)
    await come(world)
    assert await close(auth) == 1
    await come(world)
    assert await erase(auth) == 1
    return UUID(asked["id"])


def an_answer(erasure_id: UUID, context: str) -> PersonalDataErased:
    """What a context says that has erased one thing and kept another."""
    return PersonalDataErased.model_validate({
        "occurred_at": "2026-01-31T12:00:00Z", "erasure_id": erasure_id, "context": context,
        "erased": [HeldRows(table="wish", rows=3)],
        "kept": [KeptRows(table="deed", rows=2, ground="a law", until="2033-01-31")],
    })  # fmt: skip


def a_told_holding(world: World, asked: DataExportRequested, context: str, *texts: bytes) -> list[OutboxRow]:
    """What a context tells that holds a table of some pieces: its parts, and then how many they were."""
    common = {"occurred_at": asked.occurred_at, "export_id": asked.export_id, "context": context}
    parts = [
        DataExportPart.model_validate(
            common
            | {"number": number, "table": "deed"}
            | {"sealed": Label(asked.export_id, context, number, "deed").seal(text, asked.public_key)}
        )
        for number, text in enumerate(texts, start=1)
    ]
    lines = b"".join(texts).count(b"\n")
    told = DataExportAnswered.model_validate(
        common | {"parts": len(parts), "tables": [HeldRows(table="deed", rows=lines)]}
    )
    return [world.envelope(one, tenant_id=asked.workspace_id) for one in (*parts, told)]


async def ask_for_export(client: AsyncClient, person: Person) -> Response:
    """Ask for all that is held about one."""
    return await client.post("/v1/me/exports", headers=person.bearer)


async def state_of(client: AsyncClient, person: Person) -> str:
    """Where the newest export stands."""
    return str((await client.get("/v1/me/exports", headers=person.bearer)).json()["items"][0]["state"])
