"""Whatever is done to a recorded trail is found: by the command in the database, by the stand-alone script in an export."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from deploy.audit.verify import BrokenTrail, Head, _marks
from fillstream.audit import Finding, export, trails, verify
from libs.kit.db import Database
from libs.kit.errors import NotFound
from libs.kit.ids import uuid7
from services.auth.audit.chain import Link
from services.auth.audit.export import line_of
from services.auth.commands.signing_keys import every_public_key, rotate_signing_key
from services.auth.queries import audit
from services.auth.queries.audit import Trail
from tests.auth.builders import MAIL_SECRET, issuing
from tests.auth.trails import (
    FORGERIES,
    Said,
    an_act,
    chain_of,
    forge,
    has_recorded,
    head_at,
    linked,
    tell,
    verifier,
)
from tests.system.commands import fillstream
from tests.world import Running, World

LENGTH = 10


@dataclass(frozen=True)
class Recorded:
    """Two workspaces of which ten acts each are recorded, and the heads of both are told."""

    world: World
    db: Database
    mine: UUID
    other: UUID
    signed_head: str

    async def findings(self) -> dict[UUID, Finding]:
        """What the command finds."""
        return {one.workspace_id: await self.finding(one) for one in await trails(self.db, None)}

    async def finding(self, trail: Trail, keep: timedelta = timedelta(days=400)) -> Finding:
        """What the command finds in one trail, where heads are kept for so long."""
        return await verify(self.db, trail, keep, lambda _: None)

    async def grow(self) -> None:
        """Let `mine` have three heads, of 10, 11 and 12 entries."""
        for count in (LENGTH + 1, LENGTH + 2):
            await tell(self.world, an_act(self.mine, count))
            await head_at(self.world, self.mine, count)
        await self.world.settled("auth")

    async def lose_heads(self, first: int, last: int) -> None:
        """What only whoever owns the database can do."""
        await self.world.fetch(
            "DELETE FROM auth.event_log WHERE type = 'auth.AuditHeadPublished.v1' AND tenant_id = $1 "
            "AND (data::jsonb->>'sequence')::int BETWEEN $2 AND $3",
            self.mine,
            first,
            last,
        )

    async def exported(self, folder: Path, workspace_id: UUID) -> Path:
        """A workspace's export."""
        out = folder / f"{workspace_id}.jsonl"
        await export(self.db, issuing(self.world), workspace_id, out)
        return out

    async def command(self, *arguments: str) -> Said:
        """`fillstream audit ...`, in a process of its own."""
        done = await fillstream(
            "audit",
            *arguments,
            FILLSTREAM_DATABASE_URL=self.world.settings.database_url.get_secret_value(),
            FILLSTREAM_KAFKA_BOOTSTRAP=self.world.settings.kafka_bootstrap,
            FILLSTREAM_KAFKA_PREFIX=self.world.settings.kafka_prefix,
            FILLSTREAM_ENCRYPTION_KEY_URL=self.world.settings.encryption_key_url or "",
            FILLSTREAM_MAIL_TOKEN_SECRET=MAIL_SECRET,
        )
        return Said(done.status, done.out, done.err)


@pytest.fixture
async def auth(world: World) -> AsyncIterator[Running]:
    async with world.running("auth", auth_audit_head_seconds=0.05) as running:
        yield running


@pytest.fixture
async def recorded(world: World, auth: Running) -> Recorded:
    mine, other = uuid7(), uuid7()
    await tell(world, *(an_act(workspace, n) for n in range(LENGTH) for workspace in (mine, other)))
    for workspace in (mine, other):
        await has_recorded(auth.db, workspace, LENGTH)
    await head_at(world, other, LENGTH)
    return Recorded(world, auth.db, mine, other, (await head_at(world, mine, LENGTH)).signature)


async def test_trails_that_nobody_touched_hold(recorded: Recorded, tmp_path: Path) -> None:
    found = await recorded.findings()
    said = await verifier(await recorded.exported(tmp_path, recorded.mine))

    assert {one: (found[one].entries, found[one].broken) for one in (recorded.mine, recorded.other)} == {
        recorded.mine: (LENGTH, None), recorded.other: (LENGTH, None),
    }  # fmt: skip
    assert (said.status, said.err) == (0, "")
    assert f"{LENGTH} entries of {recorded.mine} hold" in said.out


@pytest.mark.parametrize("name", FORGERIES)
async def test_what_was_forged_in_the_database_is_found_by_the_command(recorded: Recorded, name: str) -> None:
    forgery, first = FORGERIES[name]
    mine, other = await chain_of(recorded.db, recorded.mine), await chain_of(recorded.db, recorded.other)

    await forge(recorded.world, recorded.mine, forgery(mine, other))

    found = await recorded.findings()
    broken = found[recorded.mine].broken
    assert broken is not None
    assert broken.sequence == first, broken.why
    assert found[recorded.other].broken is None


async def test_a_trail_that_is_gone_with_its_chain_is_found_by_the_head_that_was_told(recorded: Recorded) -> None:
    await forge(recorded.world, recorded.mine, [])
    await recorded.world.fetch("DELETE FROM auth.audit_chain WHERE tenant_id = $1", recorded.mine)

    broken = (await recorded.findings())[recorded.mine].broken

    assert broken is not None
    assert broken.sequence == 1


async def test_without_the_keys_that_signed_heads_none_holds(recorded: Recorded) -> None:
    await recorded.world.fetch("DELETE FROM auth.signing_key")

    broken = (await recorded.findings())[recorded.mine].broken

    assert broken is not None
    assert "not signed" in broken.why


async def test_a_head_that_nobody_signed_is_found(recorded: Recorded) -> None:
    await recorded.world.fetch(
        "UPDATE auth.event_log SET data = replace(data, $1, $2) WHERE data LIKE '%' || $1 || '%'",
        recorded.signed_head,
        recorded.signed_head[:-4] + "AAAA",
    )

    broken = (await recorded.findings())[recorded.mine].broken

    assert broken is not None
    assert "not signed" in broken.why


@pytest.mark.parametrize("lost", [LENGTH, LENGTH + 1, LENGTH + 2])
async def test_a_head_that_was_told_and_is_gone_is_missed(recorded: Recorded, lost: int) -> None:
    await recorded.grow()
    await recorded.lose_heads(lost, lost)

    broken = (await recorded.findings())[recorded.mine].broken

    assert broken is not None
    assert (broken.sequence, "lost its head" in broken.why) == (lost, True)


@pytest.mark.parametrize(("first", "last", "holds"), [(1, LENGTH, True), (LENGTH + 1, LENGTH + 1, False)])
async def test_heads_may_go_when_their_time_is_over_but_only_from_the_oldest_on(
    recorded: Recorded, first: int, last: int, *, holds: bool
) -> None:
    await recorded.grow()
    await recorded.lose_heads(first, last)
    [trail] = await trails(recorded.db, recorded.mine)

    found = await recorded.finding(trail, keep=timedelta(0))

    assert (found.broken is None) is holds


async def test_entries_and_heads_are_read_side_by_side_in_parts(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded.grow()
    monkeypatch.setattr(audit, "LINKS_AT_ONCE", 4)
    monkeypatch.setattr(audit, "HEADS_AT_ONCE", 2)

    found = (await recorded.findings())[recorded.mine]
    async with recorded.db.work() as tx:
        [trail] = await trails(recorded.db, recorded.mine)
        parts = [len(part) async for part in audit.signed_heads(tx, trail)]

    assert (found.entries, found.broken) == (LENGTH + 2, None)
    assert max(parts) == 2


@pytest.mark.parametrize("name", FORGERIES)
async def test_what_was_forged_in_an_export_is_found_by_the_script(
    recorded: Recorded, tmp_path: Path, name: str
) -> None:
    forgery, first = FORGERIES[name]
    path = await recorded.exported(tmp_path, recorded.mine)
    mine, other = await chain_of(recorded.db, recorded.mine), await chain_of(recorded.db, recorded.other)

    _write(path, forgery(mine, other))
    said = await verifier(path)

    assert said.status == 1
    assert f"line {first + 1}: entry {first} " in said.err


async def test_an_export_of_a_chain_that_was_rewritten_is_found_by_a_head_that_was_kept(
    recorded: Recorded, tmp_path: Path
) -> None:
    mine = await chain_of(recorded.db, recorded.mine)
    await forge(recorded.world, recorded.mine, linked(recorded.mine, [one.entry for one in mine[:6]]))
    path, kept = await recorded.exported(tmp_path, recorded.mine), tmp_path / "heads.txt"
    kept.write_text(recorded.signed_head + "\n")

    assert (await verifier(path)).status == 0
    said = await verifier(path, "--head", kept)

    assert said.status == 1
    assert "line 8: entry 7 is missing" in said.err


async def test_an_export_of_a_database_that_was_forged_is_found_by_the_script(
    recorded: Recorded, tmp_path: Path
) -> None:
    mine = await chain_of(recorded.db, recorded.mine)
    await forge(recorded.world, recorded.mine, FORGERIES["edited"][0](mine, []))

    assert "line 5: entry 4 was changed" in (await verifier(await recorded.exported(tmp_path, recorded.mine))).err


async def test_an_export_signed_with_keys_of_its_own_is_found_by_keys_that_are_trusted(
    recorded: Recorded, tmp_path: Path
) -> None:
    path, trusted, foreign = await recorded.exported(tmp_path, recorded.mine), tmp_path / "keys", tmp_path / "others"
    async with recorded.db.work() as tx:
        trusted.write_text(json.dumps({"keys": await every_public_key(tx)}))
    foreign.write_text('{"keys": []}')

    assert (await verifier(path, "--jwks", trusted)).status == 0
    said = await verifier(path, "--jwks", foreign)
    assert said.status == 1
    assert "not among the public keys" in said.err


async def test_heads_hold_when_the_key_that_signed_them_was_followed_by_others(
    recorded: Recorded, tmp_path: Path
) -> None:
    for _ in range(2):
        async with recorded.db.work() as tx:
            await rotate_signing_key(tx, issuing(recorded.world))
    await recorded.world.fetch("UPDATE auth.signing_key SET retired_at = '2020-01-01' WHERE retired_at IS NOT NULL")
    kept = tmp_path / "heads.txt"
    kept.write_text(recorded.signed_head)

    assert (await recorded.findings())[recorded.mine].broken is None
    assert (await verifier(await recorded.exported(tmp_path, recorded.mine), "--head", kept)).status == 0


async def test_keys_that_have_retired_are_fetched_by_auditors_and_not_by_services(
    recorded: Recorded, auth: Running, tmp_path: Path
) -> None:
    async with recorded.db.work() as tx:
        await rotate_signing_key(tx, issuing(recorded.world))
    await recorded.world.fetch("UPDATE auth.signing_key SET retired_at = '2020-01-01' WHERE retired_at IS NOT NULL")
    client, kept, keys = await auth.anonymous(), tmp_path / "heads.txt", tmp_path / "keys.json"
    kept.write_text(recorded.signed_head)
    path, said = await recorded.exported(tmp_path, recorded.mine), list[int]()

    for document in ("audit-keys", "jwks"):
        keys.write_text((await client.get(f"/.well-known/{document}.json")).text)
        said.append((await verifier(path, "--head", kept, "--jwks", keys)).status)

    assert said == [0, 1]


async def test_an_export_ends_where_its_head_says_although_the_trail_grows(recorded: Recorded, tmp_path: Path) -> None:
    path = await recorded.exported(tmp_path, recorded.mine)
    await tell(recorded.world, an_act(recorded.mine))
    grown = await has_recorded(recorded.db, recorded.mine, LENGTH + 1)

    assert (await verifier(path)).status == 0
    with path.open("ab") as file:
        file.write(line_of(grown[-1]))
    said = await verifier(path)
    assert f"line {LENGTH + 2}: nobody has signed what comes after entry {LENGTH}" in said.err


async def test_the_command_tells_the_first_broken_entry_and_ends_with_1(recorded: Recorded, tmp_path: Path) -> None:
    well = await recorded.command("verify")
    written = await recorded.command("export", str(recorded.mine), "--out", str(tmp_path / "trail.jsonl"))
    mine = await chain_of(recorded.db, recorded.mine)
    await forge(recorded.world, recorded.mine, FORGERIES["deleted"][0](mine, []))
    broken = await recorded.command("verify", "--workspace", str(recorded.mine))

    assert (well.status, well.out) == (0, "20 entries in 2 audit trails hold\n")
    assert written.status == 0
    assert (await verifier(tmp_path / "trail.jsonl")).status == 0
    assert broken.status == 1
    assert broken.out == f"{recorded.mine}: entry 4 is missing or out of order: entry 5 is in its place\n"


async def test_a_workspace_without_a_trail_is_named(recorded: Recorded, tmp_path: Path) -> None:
    stranger = uuid7()
    with pytest.raises(NotFound, match=str(stranger)):
        await trails(recorded.db, stranger)
    with pytest.raises(NotFound, match=str(stranger)):
        await recorded.exported(tmp_path, stranger)


def _write(path: Path, links: list[Link]) -> None:
    """Another chain behind the first line of an export."""
    first = path.read_bytes().partition(b"\n")[0]
    path.write_bytes(b"\n".join([first, b"".join(map(line_of, links))]))


def test_of_two_heads_of_one_entry_that_differ_none_is_believed() -> None:
    told, ours, theirs = (Head("w", number, digest, "k") for number, digest in ((3, "c"), (2, "a"), (2, "b")))

    for kept in ([ours, theirs], [theirs, ours]):
        with pytest.raises(BrokenTrail, match="entry 2 was written anew"):
            _marks(told, kept)
