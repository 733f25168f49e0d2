"""How fast can four hops be? Records that three stages in one process hand on from topic to topic, and do nothing else.

`python -m bench.peers.bare_chain TOPIC TOPIC TOPIC TOPIC`, with servers and port in the environment.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import pairwise

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from fastapi import FastAPI

from fillstream.cli.shell import run
from fillstream.serve import bind, listening, stopping_on_signals
from libs.kit.cancellation import end
from libs.kit.kafka import connection, producer
from libs.kit.settings import Settings

app = FastAPI()


@app.get("/readyz")
async def ready() -> str:
    """It answers."""
    return "ok"


async def _hand_on(client: AIOKafkaConsumer, sender: AIOKafkaProducer, topic: str) -> None:
    async for record in client:
        await sender.send_and_wait(topic, record.value, record.key, headers=list(record.headers))


async def _serve(topics: Sequence[str]) -> None:
    settings = Settings()
    stopped = asyncio.Event()
    async with AsyncExitStack() as stack:
        tasks = []
        for source, target in pairwise(topics):
            client = AIOKafkaConsumer(
                source, **connection(settings.kafka), auto_offset_reset="earliest", group_id=source
            )
            await client.start()
            stack.push_async_callback(client.stop)
            sender = await stack.enter_async_context(producer(settings.kafka, f"chain-{source}"))
            tasks.append(asyncio.create_task(_hand_on(client, sender, target)))
        await stack.enter_async_context(listening(app, bind("127.0.0.1", settings.http_port)))
        await stack.enter_async_context(stopping_on_signals(stopped))
        await asyncio.wait({*tasks, asyncio.create_task(stopped.wait())}, return_when=asyncio.FIRST_COMPLETED)
        await end(*tasks)


if __name__ == "__main__":
    run(_serve(sys.argv[1:]))
