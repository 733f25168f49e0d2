"""Which requests does a Kafka client send, and in which of its bytes? Read off the headers, which all versions share."""

from __future__ import annotations

from collections.abc import Iterator

from tests.instruments.scanning import Piece

_KEYS = {0: "Produce", 1: "Fetch", 8: "OffsetCommit", 11: "JoinGroup", 12: "Heartbeat"}
_LENGTH = 4
_CLIENT_ID = 14
"""Behind length, request's key and version, correlation id, and the length of the name."""


class RequestScanner:
    """Sees the requests of a client that speaks to a broker without TLS."""

    def __init__(self) -> None:
        self.application = ""
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Piece]:
        """The client's bytes; each request is a piece of its own."""
        self._rest += data
        while len(self._rest) >= _LENGTH:
            length = _LENGTH + int.from_bytes(self._rest[:_LENGTH])
            if len(self._rest) < length:
                return
            request = bytes(self._rest[:length])
            del self._rest[:length]
            self.application = self.application or _client_id(request)
            key = int.from_bytes(request[4:6])
            yield Piece(request, _KEYS.get(key, f"request {key}"))


def _client_id(request: bytes) -> str:
    length = int.from_bytes(request[_CLIENT_ID - 2 : _CLIENT_ID], signed=True)
    return request[_CLIENT_ID : _CLIENT_ID + max(length, 0)].decode(errors="replace")
