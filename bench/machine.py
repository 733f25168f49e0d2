"""On what was it measured? The machine, the servers' versions, and how durable they are, as they say themselves."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import asyncpg
import psutil
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from fillstream.embedded.jars import kafka_version, locked_jars
from libs.kit.kafka import admin, producer
from libs.kit.settings import Settings

_POSTGRES = ("server_version", "synchronous_commit", "fsync", "full_page_writes", "wal_sync_method", "shared_buffers")


def machine() -> dict[str, str]:
    """Cores, processor, memory, system and Python."""
    return {
        "cores": str(os.cpu_count()),
        "cpu": _processor(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


async def terms(settings: Settings) -> dict[str, str]:
    """What both contestants of every benchmark have to keep to."""
    return await _postgres(settings) | await _kafka(settings)


async def _postgres(settings: Settings) -> dict[str, str]:
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        return {f"postgres {name}": await connection.fetchval(f"SHOW {name}") for name in _POSTGRES}
    finally:
        await connection.close()


async def _kafka(settings: Settings) -> dict[str, str]:
    async with admin(settings.kafka) as client:
        brokers = await client.describe_cluster()
        node = brokers["brokers"][0]["node_id"]
        [answer] = await client.describe_configs([ConfigResource(ConfigResourceType.BROKER, str(node))])
    configured = {entry[0]: entry[1] for resource in answer.resources for entry in resource[4]}
    wanted = ("min.insync.replicas", "default.replication.factor", "log.flush.interval.messages")
    async with producer(settings.kafka, "bench-terms") as sender:
        # The client has no public way to tell.
        acks = sender._sender._acks  # noqa: SLF001
    return {
        "kafka version": kafka_version(locked_jars()),
        "kafka acks": "all" if acks == -1 else str(acks),
        **{f"kafka {name}": str(configured.get(name)) for name in wanted},
    }
