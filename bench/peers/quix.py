"""Who consumes the fills with quixstreams? A batching sink of its own that writes the same rows, in this process.

`python -m bench.peers.quix TOPIC GROUP EVENTS`, with the servers in the environment, prints the seconds that it took.
"""

from __future__ import annotations

import sys
import time

import asyncpg
import uvloop
from quixstreams import Application
from quixstreams.sinks import BatchingSink, SinkBatch

from bench.peers.effects import Message, have_effects
from fillstream.cli.shell import collect_seldom
from libs.kit.settings import Settings

# Of all partitions together; the sink gets each one's part as a batch.
_CHECKPOINT = 4_000
_BATCH = 1_000


class PostgresSink(BatchingSink):
    """Inbox, position and outbox rows of each partition's part of a checkpoint."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._loop = uvloop.new_event_loop()
        self._database = self._loop.run_until_complete(
            asyncpg.connect(url, server_settings={"search_path": "bench", "role": "bench_worker"})
        )

    def write(self, batch: SinkBatch) -> None:
        for chunk in batch.iter_chunks(_BATCH):
            messages = [Message(dict(item.headers), item.value) for item in chunk]
            self._loop.run_until_complete(have_effects(self._database, messages))


def main() -> None:
    """Consume and tell."""
    topic, group, events = sys.argv[1], sys.argv[2], int(sys.argv[3])
    settings = Settings()
    app = Application(
        settings.kafka_bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        commit_every=_CHECKPOINT,
        auto_create_topics=False,
        use_changelog_topics=False,
        loglevel="WARNING",
    )
    fills = app.dataframe(app.topic(topic, key_deserializer="bytes", value_deserializer="bytes"))
    fills.sink(PostgresSink(settings.database_url.get_secret_value()))
    collect_seldom()
    started = time.perf_counter()
    app.run(count=events, timeout=60)
    sys.stdout.write(f"{time.perf_counter() - started}\n")


if __name__ == "__main__":
    main()
