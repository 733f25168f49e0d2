"""What do tests stand on? One real PostgreSQL and Kafka; for every test a database of its own and topics of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import hypothesis
import pytest
import uvloop

from fillstream.cli.shell import collect_seldom
from fillstream.contexts import load_all
from fillstream.embedded.stack import Endpoints, embedded_stack
from libs.kit import connections
from libs.kit.crypto import in_time
from libs.kit.migrate import migrate
from libs.kit.settings import Settings
from tests.issuer import Issuer, running_issuer
from tests.keysets import keyset_url
from tests.room import a_folder
from tests.world import PATIENCE_SECONDS, World, running_world, topics_of

_TEMPLATE = "fillstream_template"
_numbers = count(1)


def pytest_configure() -> None:
    """Tests run on the loop that services run on: its transports fail in ways that asyncio's do not."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    # Examples of a property may take their time: others may keep the cores busy.
    hypothesis.settings.register_profile(
        "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """All that was imported and collected stays: to search it for garbage again and again took a fifth of the tests' time."""
    collect_seldom()


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    """Hashes of as little work as the settings allow: tests make thousands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FILLSTREAM_AUTH_ARGON2_MEMORY_KIB", "19456")
        patch.setenv("FILLSTREAM_AUTH_ARGON2_PASSES", "2")
        yield


@pytest.fixture(scope="session", autouse=True)
def _patience_with_ourselves() -> Iterator[None]:
    """What guards locks from a process that stands still must not meet one that only waits for a core."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "IDLE_IN_TRANSACTION_SECONDS", int(PATIENCE_SECONDS))
        patch.setattr(in_time, "ALL_ANSWERS_SECONDS", PATIENCE_SECONDS)
        yield


@pytest.fixture(scope="session")
async def stack() -> AsyncIterator[Endpoints]:
    """The servers that the environment names, or else the embedded ones."""
    url, bootstrap = os.environ.get("TEST_DATABASE_URL"), os.environ.get("TEST_KAFKA_BOOTSTRAP")
    if url and bootstrap:
        yield Endpoints(url, bootstrap)
        return
    with a_folder("fillstream-tests-") as home:
        async with embedded_stack(Path(home), lambda _: None) as endpoints:
            yield endpoints


@pytest.fixture(scope="session")
async def template(stack: Endpoints) -> str:
    """A migrated database to clone."""
    admin = await asyncpg.connect(stack.database_url)
    await admin.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")
    await admin.execute(f"CREATE DATABASE {_TEMPLATE}")
    await admin.close()
    await migrate(_sibling(stack.database_url, _TEMPLATE), [context.source for context in load_all()], 400)
    return _TEMPLATE


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[Issuer]:
    """Signs tokens and serves the public key, as auth does."""
    async with running_issuer() as running:
        yield running


@pytest.fixture
async def database_url(stack: Endpoints, template: str) -> AsyncIterator[str]:
    """A migrated, empty database of this test alone."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(stack.database_url)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _sibling(stack.database_url, name)
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def settings(database_url: str, stack: Endpoints, issuer: Issuer) -> AsyncIterator[Settings]:
    """Settings of an installation of this test alone, its topics made."""
    settings = Settings(
        database_url=database_url,
        kafka_bootstrap=stack.kafka_bootstrap,
        kafka_prefix=f"t{os.getpid()}-{next(_numbers)}-",
        kafka_partitions=2,
        jwks_url=issuer.jwks_url,
        encryption_key_url=keyset_url(),
    )
    async with topics_of(settings):
        yield settings


@pytest.fixture
async def world(settings: Settings, issuer: Issuer) -> AsyncIterator[World]:
    """What is around the context under test: other contexts' events, callers, and a look at what is published."""
    async with running_world(settings, issuer) as running:
        yield running


def _sibling(url: str, database: str) -> str:
    return f"{url.rpartition('/')[0]}/{database}"
