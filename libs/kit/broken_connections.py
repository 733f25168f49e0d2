"""What does aiokafka not know of uvloop? That a write to a connection which is gone raises RuntimeError.

Its connections take only an OSError for a broken connection. Whatever else a write raises ends the tasks that aiokafka
keeps its metadata and its group with; nothing starts them again, and a consumer stands still for good after its broker
was killed (aiokafka's issue 1038). asyncio's own loop raises nothing at this place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

P = ParamSpec("P")
T = TypeVar("T")
Write = Callable[Concatenate[AIOKafkaConnection, P], T]


def break_on_closed_handles() -> None:
    """Let every connection of aiokafka in this process raise KafkaConnectionError, and close, where uvloop refuses."""
    AIOKafkaConnection.send = _breaking(AIOKafkaConnection.send)
    AIOKafkaConnection._send_sasl_token = _breaking(AIOKafkaConnection._send_sasl_token)  # noqa: SLF001 the other write


def _breaking(write: Write[P, T]) -> Write[P, T]:
    def written(self: AIOKafkaConnection, /, *args: P.args, **options: P.kwargs) -> T:
        try:
            return write(self, *args, **options)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            msg = f"the connection to {self.host}:{self.port} is gone: {error}"
            raise KafkaConnectionError(msg) from error

    return written
