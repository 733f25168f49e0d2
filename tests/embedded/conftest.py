"""Homes for embedded stacks, removed with all that lies outside them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fillstream.embedded.home import open_home
from fillstream.embedded.kafka import KafkaRuntime, KafkaServer
from fillstream.embedded.postgres import PostgresServer
from fillstream.embedded.stack import kafka_runtime, remove_home


def silent(_: str) -> None:
    """Report to nobody."""


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "home"
    yield path
    await remove_home(path)


@pytest.fixture
async def runtime(home: Path) -> KafkaRuntime:
    return await kafka_runtime(open_home(home), silent)


@pytest.fixture
async def kafka(home: Path, runtime: KafkaRuntime) -> AsyncIterator[KafkaServer]:
    server = KafkaServer(open_home(home), runtime)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def postgres(home: Path) -> AsyncIterator[PostgresServer]:
    server = PostgresServer(open_home(home))
    await server.start()
    yield server
    await server.stop()
