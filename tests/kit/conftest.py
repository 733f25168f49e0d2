"""What do the kit's tests stand on? A probe context of their own, next to market data, on the real servers."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from itertools import count
from uuid import UUID

import asyncpg
import pytest
import structlog
from httpx2 import AsyncClient

from fillstream.embedded.stack import Endpoints
from libs.kit.backbone import BACKBONE_TABLES
from libs.kit.db import Database, database
from libs.kit.ids import uuid7
from libs.kit.migrate import SchemaSource, migrate
from libs.kit.settings import Settings
from tests.issuer import Issuer
from tests.kit.api import Api, running_api
from tests.kit.probe import SOURCE, Admin, Consuming, Faults, consuming
from tests.world import World, running_world, topics_of

_TEMPLATE = "kit_template"
_TABLES = ", ".join(
    f"probe.{table}" for table in (*BACKBONE_TABLES, "rate_limit", "counter", "effect", "secret", "data_key")
)
_numbers = count(1)


@pytest.fixture(scope="session", autouse=True)
def quiet() -> None:
    """Faults are wanted here; drawing their tracebacks in colours takes seconds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.fixture(scope="session")
async def template(stack: Endpoints) -> str:
    """A database with the probe's schema and another context's, to clone."""
    admin = await asyncpg.connect(stack.database_url)
    await admin.execute(f"DROP DATABASE IF EXISTS {_TEMPLATE}")
    await admin.execute(f"CREATE DATABASE {_TEMPLATE}")
    await admin.close()
    neighbour = SchemaSource("marketdata", SOURCE.revisions.parents[2] / "services/marketdata/migrations")
    await migrate(f"{stack.database_url.rpartition('/')[0]}/{_TEMPLATE}", [SOURCE, neighbour], 400)
    return _TEMPLATE


@pytest.fixture(scope="module")
async def module_database(stack: Endpoints, template: str) -> AsyncIterator[str]:
    """A database of this module's tests alone."""
    name = f"kit_{os.getpid()}_{next(_numbers)}"
    server = stack.database_url.rpartition("/")[0]
    connection = await asyncpg.connect(stack.database_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"{server}/{name}"
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def database_url(module_database: str) -> str:
    """The module's database, emptied: faster than a fresh clone for every test."""
    connection = await asyncpg.connect(module_database)
    await connection.execute(f"TRUNCATE {_TABLES}")
    await connection.close()
    return module_database


@pytest.fixture
async def settings(database_url: str, stack: Endpoints, issuer: Issuer) -> Settings:
    """Settings with topics of this test alone, which `topics` makes."""
    return Settings(
        database_url=database_url,
        kafka_bootstrap=stack.kafka_bootstrap,
        kafka_prefix=f"k{os.getpid()}-{next(_numbers)}-",
        kafka_partitions=2,
        jwks_url=issuer.jwks_url,
    )


@pytest.fixture
async def topics(settings: Settings) -> AsyncIterator[None]:
    """The topics of this test."""
    async with topics_of(settings):
        yield


@pytest.fixture
async def world(settings: Settings, issuer: Issuer, topics: None) -> AsyncIterator[World]:
    """Other contexts' events, and a look at what is published."""
    async with running_world(settings, issuer) as running:
        yield running


@pytest.fixture
async def admin(settings: Settings) -> Admin:
    return Admin(settings.database_url.get_secret_value())


@pytest.fixture
async def db(settings: Settings) -> AsyncIterator[Database]:
    async with database(settings, "probe") as opened:
        yield opened


@pytest.fixture
async def faults() -> Faults:
    return Faults()


@pytest.fixture
async def probe(settings: Settings, faults: Faults, topics: None) -> AsyncIterator[Consuming]:
    """The probe context, consuming."""
    async with consuming(settings, faults) as running:
        yield running


@pytest.fixture(scope="module")
async def api(module_database: str, stack: Endpoints, issuer: Issuer) -> AsyncIterator[Api]:
    """The probe context over HTTP, the same for all tests of a module."""
    settings = Settings(database_url=module_database, kafka_bootstrap=stack.kafka_bootstrap, jwks_url=issuer.jwks_url)
    async with running_api(settings, issuer) as running:
        yield running


@pytest.fixture
async def tenant() -> UUID:
    """A workspace of this test alone."""
    return uuid7()


@pytest.fixture
async def client(api: Api, tenant: UUID) -> AsyncIterator[AsyncClient]:
    """A client that acts for the workspace."""
    async with api.client(api.issuer.token(tenant)) as opened:
        yield opened


@pytest.fixture
async def anonymous(api: Api) -> AsyncIterator[AsyncClient]:
    """A client without a token."""
    async with api.client() as opened:
        yield opened
