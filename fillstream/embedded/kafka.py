"""How does one Apache Kafka node run from Java archives?"""

import asyncio
import base64
import os
import shutil
import signal
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from fillstream.embedded.concurrency import unless_done
from fillstream.embedded.home import Home
from fillstream.embedded.jars import DEPLOY
from fillstream.embedded.java import Java
from fillstream.embedded.ports import LOOPBACK, choose_port, taken
from fillstream.embedded.processes import Command, Identity, ServerProcess, run

START_SECONDS = 60.0
STOP_SECONDS = 15.0
NO_PROPERTIES: Mapping[str, str] = MappingProxyType({})
JVM = (
    "-Xms128m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    # A start-up cache that does not fit exactly is worth no warning.
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
)


@dataclass(frozen=True)
class KafkaRuntime:
    """What is needed to run Kafka's classes: a Java, the archives, and options of the Java machine."""

    java: Java
    jars: Sequence[Path]
    options: Sequence[str] = ()

    def with_options(self, *options: str) -> "KafkaRuntime":
        """The same with more options."""
        return replace(self, options=(*self.options, *options))

    def command(self, log: Path, scratch: Path, main: str, *arguments: str) -> Command:
        """The command that runs a main class of Kafka's, logging to a file."""
        properties = {
            "fillstream.kafka.log": log,
            "log4j2.configurationFile": DEPLOY / "log4j2.properties",
            "java.io.tmpdir": scratch,
        }
        class_path = os.pathsep.join(map(str, self.jars))
        options = [*JVM, *self.options, *(f"-D{name}={value}" for name, value in properties.items())]
        # Not ours: Java obeys JAVA_TOOL_OPTIONS and JDK_JAVA_OPTIONS.
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        return Command([str(self.java.program), *options, "-cp", class_path, main, *arguments], environment)


class KafkaServer:
    """One Kafka node, broker and controller, with its data in a home; it can be started again after it ended."""

    def __init__(self, home: Home, runtime: KafkaRuntime, properties: Mapping[str, str] = NO_PROPERTIES) -> None:
        """Prepare to run the node of a home, with `properties` over ours; nothing is touched before `start`."""
        self._home = home
        self._runtime = runtime
        self._properties = properties
        self._port: int | None = None
        self._process: ServerProcess | None = None

    @property
    def bootstrap(self) -> str:
        """Where clients connect first."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Format the storage if it is new, and run the node until it answers. Raises StackError when it cannot."""
        process = self._process = await without_left_over(self._home)
        self._home.kafka_console.unlink(missing_ok=True)
        ports = self._home.run / "ports.json"
        self._port, controller = choose_port(ports, "kafka"), choose_port(ports, "kafka-controller")
        self._configure(self._port, controller)
        await self._format()
        with taken(self._port, "Kafka"), taken(controller, "Kafka"):
            process.spawn(self._command("kafka.Kafka", str(self._home.kafka_properties)))
            async with unless_done(self.kill):
                await process.ready(self._answers, START_SECONDS)

    async def stop(self, patience: float = STOP_SECONDS) -> None:
        """Stop the node; it is killed when it takes longer than `patience` seconds."""
        if self._process:
            await self._process.stop(signal.SIGTERM, patience)

    async def kill(self) -> None:
        """Kill the node as a crash would; the next start recovers."""
        if self._process:
            await self._process.stop(signal.SIGKILL, STOP_SECONDS)

    def _configure(self, broker: int, controller: int) -> None:
        """Write the settings; the addresses may be others than the last time."""
        listeners = f"BROKER://{LOOPBACK}:{broker},CONTROLLER://{LOOPBACK}:{controller}"
        own = {
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller}",
            "log.dirs": _escaped(self._home.kafka / "data"),
        }
        # Of a name that comes twice, Java takes the last.
        lines = [f"{name}={value}\n" for name, value in (own | dict(self._properties)).items()]
        self._home.kafka_properties.write_text((DEPLOY / "server.properties").read_text() + "".join(lines))
        _emptied(self._home.kafka / "tmp")

    async def _format(self) -> None:
        """Prepare the storage once; half a preparation is never taken for a whole one."""
        formatted = self._home.kafka / "formatted"
        if formatted.exists():
            return
        shutil.rmtree(self._home.kafka / "data", ignore_errors=True)
        cluster = _cluster_id()
        arguments = ["format", "--cluster-id", cluster, "--config", str(self._home.kafka_properties), "--standalone"]
        await run(
            "Kafka's storage tool", self._command("kafka.tools.StorageTool", *arguments), self._home.kafka_console
        )
        formatted.write_text(f"{cluster}\n")

    def _command(self, main: str, *arguments: str) -> Command:
        return self._runtime.command(self._home.kafka_log, self._home.kafka / "tmp", main, *arguments)

    async def _answers(self) -> bool:
        """Whether the broker is open and the controller lets it serve."""
        with suppress(OSError):
            _, writer = await asyncio.open_connection(LOOPBACK, self._port)
            writer.close()
            return await _serves(self.bootstrap)
        return False


async def without_left_over(home: Home) -> ServerProcess:
    """The node's process, once nothing runs that a killed process of ours left in this home."""
    identity = Identity("java", str(home.kafka_properties))
    process = ServerProcess("Kafka", identity, home.run / "kafka.pid", [home.kafka_console, home.kafka_log])
    await process.stop_left_over(signal.SIGTERM, STOP_SECONDS)
    return process


async def _serves(bootstrap: str) -> bool:
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=2_000)
    try:
        await client.bootstrap()
        return bool(client.cluster.brokers())
    except KafkaError:
        return False
    finally:
        await client.close()


def _cluster_id() -> str:
    """A random id as Kafka writes it; never one that begins like an option of a command line."""
    head, *tail = uuid.uuid4().bytes
    return base64.urlsafe_b64encode(bytes([head & 0x7F, *tail])).decode().rstrip("=")


def _emptied(folder: Path) -> None:
    """An empty folder: a killed node leaves the native libraries that it had unpacked."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _escaped(path: Path) -> str:
    """A path as a value in a file of Java properties."""
    return str(path).replace("\\", "\\\\")
