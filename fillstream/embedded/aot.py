"""How does Kafka start in half the time?

Java 25 can write the classes that a run has loaded and linked to a file, and later runs map that file. It is made once
for a Java, a Kafka and a class path, by starting and stopping a node that has no other purpose.
"""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from fillstream.embedded.concurrency import unless_done
from fillstream.embedded.errors import StackError
from fillstream.embedded.home import only_user, open_home
from fillstream.embedded.kafka import JVM, KafkaRuntime, KafkaServer

EXERCISE_SECONDS = 20.0
WRITING_SECONDS = 90.0


async def with_aot_cache(
    runtime: KafkaRuntime, version: str, cache: Path, report: Callable[[str], None]
) -> KafkaRuntime:
    """The runtime with its cache, made if it is missing; the runtime as it was when there can be none."""
    if not runtime.java.makes_aot_caches:
        return runtime
    target = cache / "aot" / f"kafka-{version}-java-{runtime.java.version}-{_key(runtime)}.aot"
    if not target.exists():
        report("preparing faster starts of Kafka, once; this takes about ten seconds")
        try:
            await _make(runtime, target)
        except (OSError, TimeoutError, KafkaError, StackError) as error:
            report(f"going on without faster starts of Kafka: {error}")
            return runtime
    return runtime.with_options(f"-XX:AOTCache={target}")


def _key(runtime: KafkaRuntime) -> str:
    """What Java compares before it takes a cache: the paths, sizes and times of the class path, and the options."""
    files = [runtime.java.home / "lib" / "modules", *runtime.jars]
    identity = json.dumps([JVM, *([str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files)])
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


async def _make(runtime: KafkaRuntime, target: Path) -> None:
    """Write the cache beside its place, and move it there when it is whole.

    The home of the run that writes it is always the same, so that the next try stops what a killed one left running.
    """
    home = open_home(target.parent / "training")
    fresh = home.path / target.name
    server = KafkaServer(home, runtime.with_options(f"-XX:AOTCacheOutput={fresh}"))
    with only_user(home):
        async with unless_done(server.kill):
            await server.start()
            await _exercise(server.bootstrap)
            await server.stop(WRITING_SECONDS)
        if not fresh.exists():
            raise StackError("Java wrote no cache.")
        fresh.replace(target)
        shutil.rmtree(home.kafka)


async def _exercise(bootstrap: str) -> None:
    """What a node does first in its life, so that its classes are in the cache: a topic, a record, a group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("training", num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait("training", b"record")
    consumer = AIOKafkaConsumer(
        "training", bootstrap_servers=bootstrap, group_id="training", auto_offset_reset="earliest"
    )
    async with consumer, asyncio.timeout(EXERCISE_SECONDS):
        await consumer.getone()
        await consumer.commit()
