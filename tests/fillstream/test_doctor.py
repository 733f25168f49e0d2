"""Each thing that can be wrong is found, and said with what helps."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

import asyncpg
import pytest

from fillstream.contexts import load_all, names
from fillstream.doctor import NotReady, examine, require_ready, require_servers
from fillstream.installation import ConfigurationError, Installation
from libs.kit.kafka import admin
from libs.kit.settings import Settings
from tests.deploy.test_gateway import free_port
from tests.world import eventually

CONTEXTS = load_all()


async def advice(where: Installation) -> dict[str, str]:
    return {one.check: one.advice async for one in examine(CONTEXTS, where) if one.advice is not None}


async def execute(where: Installation, *statements: str) -> None:
    connection = await asyncpg.connect(where.settings(Settings).database_url.get_secret_value())
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def test_a_sound_installation_passes_every_check(where: Installation) -> None:
    checks = [(one.check, one.advice) async for one in examine(CONTEXTS, where)]
    wanted = [
        "settings",
        "encryption key",
        "database",
        *(f"schema {name}" for name in names()),
        "clocks",
        "broker",
        "topics",
    ]
    assert checks == [(check, None) for check in wanted]
    await require_ready(CONTEXTS, where)


async def test_settings_come_first(where: Installation) -> None:
    with pytest.raises(ConfigurationError, match=r"^FILLSTREAM_AUTH_HASHING_PROCESSES: "):
        await advice(where.with_values(auth_hashing_processes=0))


async def test_a_key_that_encrypts_nothing_is_found(where: Installation) -> None:
    found = await advice(where.with_values(encryption_key_url=None))
    assert list(found) == ["encryption key"]
    assert found["encryption key"].startswith("FILLSTREAM_ENCRYPTION_KEY_URL is not set")
    found = await advice(where.with_values(encryption_key_url="file:///nowhere/keyset.json"))
    assert found == {"encryption key": "the keyset /nowhere/keyset.json can't be read: No such file or directory"}


async def test_an_absent_database_is_found(where: Installation) -> None:
    found = await advice(where.sibling_database("nobody_made_it"))
    assert list(found) == ["database"]
    assert re.fullmatch(
        r"PostgreSQL at 127\.0\.0\.1:\d+ does not let us in "
        r'\(database "nobody_made_it" does not exist\): check FILLSTREAM_DATABASE_URL',
        found["database"],
    )


async def test_an_absent_server_is_found(where: Installation) -> None:
    server = f"127.0.0.1:{free_port()}"
    url = f"postgresql://someone:hush-hush@{server}/fillstream"
    found = await advice(where.with_values(database_url=url))
    assert list(found) == ["database"]
    assert re.match(
        rf"PostgreSQL at {server} does not let us in \(.*refused\): check FILLSTREAM_DATABASE_URL$", found["database"]
    )
    assert "hush-hush" not in found["database"]


async def test_a_wrong_password_is_found(where: Installation) -> None:
    url = where.settings(Settings).database_url.get_secret_value()
    found = await advice(where.with_values(database_url=re.sub(r":[^:@]+@", ":guess@", url)))
    assert "password authentication failed" in found["database"]


async def test_an_option_that_postgresql_does_not_know_is_found(where: Installation) -> None:
    url = where.settings(Settings).database_url.get_secret_value()
    found = await advice(where.with_values(database_url=f"{url}?sslmode=perhaps"))
    assert "`sslmode` parameter must be one of" in found["database"]


async def test_a_schema_that_is_missing_or_old_or_closed_is_found(where: Installation) -> None:
    await execute(
        where,
        "DROP SCHEMA signals CASCADE",
        "UPDATE orders.alembic_version SET version_num = '0000'",
        "DROP TABLE billing.alembic_version",
    )
    found = await advice(where)
    assert re.match(r"it is at revision 0000, this release needs \d{4}\b", found.pop("schema orders"))
    missing = "it is not there: run `fillstream migrate`"
    assert found == {"schema signals": missing, "schema billing": missing}


async def test_a_user_who_may_not_take_a_role_is_found(where: Installation) -> None:
    database = where.settings(Settings).database_url.get_secret_value().rpartition("/")[2]
    login = f"doctor_{database}"
    await execute(where, f"CREATE ROLE {login} LOGIN PASSWORD 'x' NOINHERIT", f"GRANT auth_api TO {login}")
    try:
        url = re.sub(r"//.*@", f"//{login}:x@", where.settings(Settings).database_url.get_secret_value())
        found = await advice(where.with_values(database_url=url))
    finally:
        await execute(where, f"DROP ROLE {login}")
    refused = {f"schema {name}" for name in names()}
    assert set(found) == refused
    assert found["schema auth"] == "the database user may not take the role auth_worker: GRANT auth_worker TO it"
    assert found["schema orders"] == "the database user may not take the role orders_api: GRANT orders_api TO it"


async def test_missing_topics_are_found_by_name(where: Installation) -> None:
    settings = where.settings(Settings)
    async with admin(settings.kafka) as client:
        await client.delete_topics([f"{settings.kafka_prefix}orders.v1"])
    missing = f"{settings.kafka_prefix}orders.v1 are missing: run `fillstream migrate`"

    async def found() -> None:
        assert await advice(where) == {"topics": missing}

    await eventually(found)


@pytest.mark.parametrize("bootstrap", ["127.0.0.1:{port}", "nowhere.invalid:9092", "127.0.0.1:none"])
async def test_an_absent_broker_is_found(where: Installation, bootstrap: str) -> None:
    address = bootstrap.format(port=free_port())
    found = await advice(where.with_values(kafka_bootstrap=address))
    assert list(found) == ["broker"]
    assert re.match(rf"Kafka does not answer at {re.escape(address)} \(.+\): check", found["broker"])


async def test_clocks_that_are_apart_are_found(where: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(minutes=10)

    monkeypatch.setattr("fillstream.doctor.datetime", Late)
    found = await advice(where)
    assert re.match(r"this machine's clock and the database's are (599|600) s apart", found["clocks"])


async def test_work_on_servers_that_answer_may_begin_before_anything_is_there(where: Installation) -> None:
    await require_servers(where.sibling_database("postgres").with_values(kafka_prefix="never-made-"))
    with pytest.raises(NotReady, match=r"^database: "):
        await require_servers(where.sibling_database("nobody_made_it"))
    with pytest.raises(NotReady, match=r"^broker: Kafka does not answer at "):
        await require_servers(where.with_values(kafka_bootstrap=f"127.0.0.1:{free_port()}"))


async def test_the_first_finding_keeps_a_service_from_starting(where: Installation) -> None:
    with pytest.raises(
        NotReady, match=r"^database: PostgreSQL at .* does not let us in .*: check FILLSTREAM_DATABASE_URL$"
    ):
        await require_ready(CONTEXTS, where.sibling_database("nobody_made_it"))
