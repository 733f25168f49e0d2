"""What if a connection to the broker is gone, and aiokafka has not seen it yet? Then it has to see it now, and go on."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from libs.kit.kafka import stopped
from libs.kit.settings import Settings


async def lost(settings: Settings) -> AIOKafkaConnection:
    """A connection whose socket the loop has closed, in the turn before its reader hears of it."""
    host, port = settings.kafka.bootstrap.split(":")
    connection = await create_conn(host, int(port))
    connection._writer.transport.abort()  # noqa: SLF001 nobody else closes it at a moment that we choose
    await asyncio.sleep(0)
    return connection


async def test_tests_run_on_the_loop_that_services_run_on() -> None:
    assert isinstance(asyncio.get_running_loop(), uvloop.Loop)


async def test_a_request_on_a_lost_connection_is_refused_as_a_broken_connection(settings: Settings) -> None:
    connection = await lost(settings)

    with pytest.raises(KafkaConnectionError, match="is gone"):
        await connection.send(MetadataRequest([]))

    assert not connection.connected()


async def test_a_login_on_a_lost_connection_is_refused_as_a_broken_connection(settings: Settings) -> None:
    connection = await lost(settings)

    with pytest.raises(KafkaConnectionError, match="is gone"):
        await connection._send_sasl_token(b"")  # noqa: SLF001 written while it connects

    assert not connection.connected()


async def test_a_client_that_never_stops_is_left_behind() -> None:
    await stopped(asyncio.Event().wait(), seconds=0.05)
