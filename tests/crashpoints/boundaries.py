"""Where does a process cross a boundary? In asyncpg's protocol and in aiokafka's clients, wrapped at their classes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from asyncpg.protocol.protocol import BaseProtocol, Protocol

from tests.crashpoints.crossings import Counting, Crossing, Kind, Transaction, current_actor, fingerprint, writes

_CARRY_NOTHING = ("BEGIN", "ROLLBACK", "SAVEPOINT", "RELEASE", ";")
_TYPE = "ce_type"


def count_crossings(counting: Counting, kafka_prefix: str) -> None:
    """Wrap the libraries of this process, for good: it is one that was made to be killed."""
    _wrap_database(counting)
    _wrap_producer(counting, kafka_prefix)
    _wrap_consumer(counting, kafka_prefix)


class _Connections:
    """The transaction that is open on each connection."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting
        self._open: WeakKeyDictionary[object, Transaction] = WeakKeyDictionary()

    async def say(self, connection: Any, text: str, send: Callable[[], Awaitable[Any]], kind: Kind) -> Any:
        statement = fingerprint(text)
        if not statement or statement.upper().startswith(_CARRY_NOTHING):
            self._open.pop(connection, None)
            return await send()
        if statement.upper().startswith("COMMIT"):
            return await self._commit(connection, send)
        if connection.is_in_transaction():
            said = self._open.setdefault(connection, Transaction(current_actor()))
            said.statements.append(statement)
            self._counting.cross(Crossing(kind, statement), said.actor)
            return await send()
        return await self._say_alone(Crossing(kind, statement), send)

    async def _commit(self, connection: Any, send: Callable[[], Awaitable[Any]]) -> Any:
        said = self._open.pop(connection, None) or Transaction(current_actor())
        self._counting.cross(Crossing(Kind.COMMIT_SENT, said.commit), said.actor)
        answer = await send()
        self._counting.cross(Crossing(Kind.COMMIT_ANSWERED, said.commit), said.actor)
        return answer

    async def _say_alone(self, crossing: Crossing, send: Callable[[], Awaitable[Any]]) -> Any:
        """A statement outside a transaction is one of its own."""
        actor = current_actor()
        self._counting.cross(crossing, actor)
        answer = await send()
        if writes(crossing.what):
            alone = Transaction(actor, [crossing.what])
            self._counting.cross(Crossing(Kind.COMMIT_ANSWERED, alone.commit), actor)
        return answer


def _wrap_database(counting: Counting) -> None:
    connections = _Connections(counting)

    def prepared(name: str) -> Callable[..., Awaitable[Any]]:
        original = getattr(BaseProtocol, name)

        async def execute(self: Any, state: Any, *arguments: Any, **options: Any) -> Any:
            return await connections.say(
                self, state.query, lambda: original(self, state, *arguments, **options), Kind.STATEMENT_SENT
            )

        return execute

    def textual(name: str, kind: Kind) -> Callable[..., Awaitable[Any]]:
        original = getattr(BaseProtocol, name)

        async def copy(self: Any, text: str, *arguments: Any, **options: Any) -> Any:
            return await connections.say(
                self, text, lambda: original(self, text, *arguments, **options), Kind.COPY_SENT
            )

        return copy

    Protocol.query = textual("query", Kind.STATEMENT_SENT)  # type: ignore[method-assign, assignment]
    for name in ("bind_execute", "bind_execute_many", "execute"):
        setattr(Protocol, name, prepared(name))
    for name in ("copy_in", "copy_out"):
        setattr(Protocol, name, textual(name, Kind.COPY_SENT))


def _wrap_producer(counting: Counting, kafka_prefix: str) -> None:
    send = AIOKafkaProducer.send

    async def crossing_send(
        self: AIOKafkaProducer, topic: str, *arguments: Any, headers: Sequence[tuple[str, bytes]] = (), **options: Any
    ) -> asyncio.Future[Any]:
        actor = current_actor()
        what = dict(headers).get(_TYPE, topic.removeprefix(kafka_prefix).encode()).decode()
        counting.cross(Crossing(Kind.PRODUCE_SENT, what), actor)
        future: asyncio.Future[Any] = await send(self, topic, *arguments, headers=headers, **options)

        def acknowledged(done: asyncio.Future[Any]) -> None:
            if not done.cancelled() and done.exception() is None:
                counting.cross(Crossing(Kind.PRODUCE_ACKNOWLEDGED, what), actor)

        # Before anybody waits for it, so that nothing can be done with the answer first.
        future.add_done_callback(acknowledged)
        return future

    AIOKafkaProducer.send = crossing_send


def _wrap_consumer(counting: Counting, kafka_prefix: str) -> None:
    commit = AIOKafkaConsumer.commit

    async def crossing_commit(self: AIOKafkaConsumer, offsets: Mapping[TopicPartition, Any] | None = None) -> None:
        actor = current_actor()
        topics = sorted({partition.topic.removeprefix(kafka_prefix) for partition in offsets or self.assignment()})
        what = f"offsets of {', '.join(topics)}"
        counting.cross(Crossing(Kind.OFFSETS_SENT, what), actor)
        await commit(self, offsets)
        counting.cross(Crossing(Kind.OFFSETS_ANSWERED, what), actor)

    AIOKafkaConsumer.commit = crossing_commit
