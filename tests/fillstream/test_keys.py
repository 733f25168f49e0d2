"""Do keys become new by the command, with everything that was sealed readable afterwards?"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from fillstream.contexts import load
from fillstream.installation import Installation
from libs.kit.crypto.encryption import Encryption, encryption
from libs.kit.crypto.keyset_file import create_keyset
from libs.kit.db import Database, database
from libs.kit.ids import uuid7
from tests.system.commands import fillstream

TENANTS = (uuid7(), uuid7())


@pytest.fixture
async def where(where: Installation, tmp_path: Path) -> Installation:
    """An installation with a keyset of its own and two workspaces that have data keys."""
    create_keyset(tmp_path / "keyset.json")
    where = where.with_values(encryption_key_url=(tmp_path / "keyset.json").as_uri())
    async with database(where.of(load("auth")), "auth") as db, encryption(where.of(load("auth"))) as safe:
        await open_all(db, safe)
    return where


async def open_all(db: Database, safe: Encryption) -> None:
    """Use every workspace's data key, which is made where there is none."""
    async with db.work() as tx:
        await safe.keyrings(tx, TENANTS)


async def data_keys(where: Installation) -> dict[UUID, tuple[UUID, str]]:
    """Each workspace's data keys, which must be one, and what wrapped it."""
    async with database(where.of(load("auth")), "auth") as db, encryption(where.of(load("auth"))) as safe:
        await open_all(db, safe)
        async with db.work() as tx:
            rows = await tx.fetch("SELECT tenant_id, id, wrapped_by FROM data_key")
    assert len(rows) == len(TENANTS)
    return {row["tenant_id"]: (row["id"], row["wrapped_by"]) for row in rows}


async def test_data_keys_are_wrapped_by_a_new_key(where: Installation) -> None:
    before = await data_keys(where)
    done = await fillstream("keys", "rotate", "--kek", **where.environment())
    after = await data_keys(where)
    assert done.status == 0, done.err
    assert {name for name, _ in after.values()} == {name for name, _ in before.values()}
    assert not {by for _, by in after.values()} & {by for _, by in before.values()}


async def test_workspaces_get_new_data_keys(where: Installation) -> None:
    before = await data_keys(where)
    done = await fillstream("keys", "rotate", "--data", **where.environment())
    after = await data_keys(where)
    assert done.status == 0, done.err
    assert "go on with: fillstream keys rotate --data --before 20" in done.err
    assert not {name for name, _ in after.values()} & {name for name, _ in before.values()}


async def test_one_workspace_alone_may_get_a_new_data_key(where: Installation) -> None:
    before = await data_keys(where)
    await fillstream("keys", "rotate", "--data", "--workspace", str(TENANTS[0]), **where.environment())
    after = await data_keys(where)
    assert (after[TENANTS[0]] == before[TENANTS[0]], after[TENANTS[1]] == before[TENANTS[1]]) == (False, True)


@pytest.mark.parametrize("which", ["--kek", "--data"])
async def test_a_workspace_whose_key_is_damaged_is_named_and_the_others_go_on(where: Installation, which: str) -> None:
    before = await data_keys(where)
    damaged, well = sorted(TENANTS)
    async with database(where.of(load("auth")), "auth") as db, db.work() as tx:
        await tx.fetch("UPDATE data_key SET wrapped_key = 'nothing' WHERE tenant_id = $1", damaged)

    done = await fillstream("keys", "rotate", which, **where.environment())

    async with database(where.of(load("auth")), "auth") as db, db.work() as tx:
        rows = await tx.fetch("SELECT tenant_id, id, wrapped_by FROM data_key")
    after = {row["tenant_id"]: (row["id"], row["wrapped_by"]) for row in rows}
    assert done.status == 1
    assert f"workspace {damaged} in auth: " in done.err
    assert str(well) not in done.err
    assert (after[damaged] == before[damaged], after[well] == before[well]) == (True, False)


async def test_a_run_that_goes_on_makes_no_second_key(where: Installation) -> None:
    before = await data_keys(where)
    earlier = "2026-01-01T00:00:00.000000Z"
    done = await fillstream("keys", "rotate", "--data", "--before", earlier, **where.environment())
    assert done.status == 0, done.err
    assert await data_keys(where) == before


async def test_a_new_key_signs(where: Installation) -> None:
    done = await fillstream("keys", "rotate", "--signing", **where.environment())
    assert done.status == 0, done.err
    assert "signs from" in done.out


async def test_a_rotation_of_nothing_says_what_there_is(where: Installation) -> None:
    done = await fillstream("keys", "rotate", **where.environment())
    assert done.status == 1
    assert "say which keys: --kek, --data or --signing" in done.err


async def test_a_keyset_is_made_once(tmp_path: Path) -> None:
    for _ in range(2):
        made = await fillstream("keys", "create", str(tmp_path / "keyset.json"))
        assert (made.status, made.out.strip()) == (0, (tmp_path / "keyset.json").as_uri())
