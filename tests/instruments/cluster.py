"""What does Kafka promise when brokers die, with and without their disks? Three nodes, each broker and controller.

Every partition has three replicas and takes a record only when two have it (`min.insync.replicas=2`). So a record that
was acknowledged to `acks=all` outlives any one broker and its disk; while two are away, nothing is acknowledged. On a
single node with one replica an acknowledgement promises no more than that the node's own disk has it: without its disk
the node forgets it, and no setting of a producer changes that.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from aiokafka.errors import KafkaError

from fillstream.embedded.home import Home, open_home
from fillstream.embedded.kafka import KafkaRuntime, KafkaServer
from fillstream.embedded.ports import LOOPBACK, choose_port
from fillstream.embedded.processes import run
from fillstream.embedded.stack import kafka_runtime, remove_home
from libs.kit.ids import uuid7
from libs.kit.kafka import admin
from libs.kit.settings import KafkaSettings
from tests.world import eventually

SIZE = 3
MIN_IN_SYNC = 2
_PATIENCE_SECONDS = 90.0
REPLICATED: Mapping[str, str] = {
    "default.replication.factor": str(SIZE),
    "min.insync.replicas": str(MIN_IN_SYNC),
    "offsets.topic.replication.factor": str(SIZE),
    "transaction.state.log.replication.factor": str(SIZE),
    "transaction.state.log.min.isr": str(MIN_IN_SYNC),
    "share.coordinator.state.topic.replication.factor": str(SIZE),
    "share.coordinator.state.topic.min.isr": str(MIN_IN_SYNC),
}


class Node(KafkaServer):
    """One broker and controller of the cluster."""

    def __init__(self, home: Home, runtime: KafkaRuntime, properties: Mapping[str, str], cluster_id: str) -> None:
        super().__init__(home, runtime, properties)
        self.number = int(properties["node.id"])
        self._cluster_id = cluster_id

    async def restart(self) -> None:
        """Stop it as an operator does, and start it again."""
        await self.stop()
        await self.start()

    def wipe(self) -> None:
        """Take away all that it has on its disk; only while it does not run."""
        wipe(self._home)

    async def _format(self) -> None:
        """Prepare an empty disk for this cluster, whose controllers the settings name."""
        formatted = self._home.kafka / "formatted"
        if formatted.exists():
            return
        command = self._command(
            "kafka.tools.StorageTool",
            *("format", "--cluster-id", self._cluster_id, "--config", str(self._home.kafka_properties)),
        )
        await run("Kafka's storage tool", command, self._home.kafka_console)
        formatted.touch()


class Cluster:
    """The nodes, by number from 1."""

    def __init__(self, folder: Path, runtime: KafkaRuntime) -> None:
        homes = {number: open_home(folder / f"node-{number}") for number in range(1, SIZE + 1)}
        brokers = {number: choose_port(home.run / "ports.json", "kafka") for number, home in homes.items()}
        controllers = {
            number: choose_port(home.run / "ports.json", "kafka-controller") for number, home in homes.items()
        }
        together = dict(REPLICATED) | {
            "controller.quorum.voters": ",".join(f"{n}@{LOOPBACK}:{port}" for n, port in controllers.items()),
            "controller.quorum.bootstrap.servers": ",".join(f"{LOOPBACK}:{port}" for port in controllers.values()),
        }
        cluster_id = _cluster_id()
        self.bootstrap = ",".join(f"{LOOPBACK}:{port}" for port in brokers.values())
        self.nodes = {n: Node(home, runtime, together | {"node.id": str(n)}, cluster_id) for n, home in homes.items()}

    @property
    def settings(self) -> KafkaSettings:
        """How to reach it, whichever nodes are away."""
        return KafkaSettings(bootstrap=self.bootstrap)

    async def start(self) -> None:
        """Start all nodes; none of them serves before two are there."""
        await asyncio.gather(*(node.start() for node in self.nodes.values()))

    async def kill(self) -> None:
        """Kill all nodes."""
        await asyncio.gather(*(node.kill() for node in self.nodes.values()))


async def until_in_sync(settings: KafkaSettings, *topics: str, replicas: int = SIZE) -> None:
    """Wait until every partition of the topics has so many replicas that have all of it."""
    async with admin(settings) as client:

        async def caught_up() -> None:
            try:
                described = await client.describe_topics(list(topics))
            except KafkaError as error:
                # It may have asked the node that is away; it will ask another.
                raise AssertionError(repr(error)) from error
            fewest = min((len(part["isr"]) for topic in described for part in topic["partitions"]), default=0)
            assert fewest >= replicas, f"a partition has {fewest} replicas in sync"

        await eventually(caught_up, patience=_PATIENCE_SECONDS)


def wipe(home: Home) -> None:
    """Take away all that a node which does not run has on its disk."""
    (home.kafka / "formatted").unlink(missing_ok=True)
    shutil.rmtree(home.kafka / "data", ignore_errors=True)


@asynccontextmanager
async def running_cluster(folder: Path) -> AsyncIterator[Cluster]:
    """Three nodes at work with their data under a folder; all of it is gone at the end."""
    cluster = Cluster(folder, await kafka_runtime(open_home(folder / "node-1"), lambda _: None))
    try:
        await cluster.start()
        yield cluster
    finally:
        await cluster.kill()
        for number in cluster.nodes:
            await remove_home(folder / f"node-{number}")


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid7().bytes).decode().rstrip("=")
