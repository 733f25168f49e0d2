"""Which SQL does a PostgreSQL client send, and in which of its bytes? Read off the stream of the frontend protocol."""

from __future__ import annotations

from collections.abc import Iterator

from tests.instruments.scanning import Piece

_PROTOCOL_3 = 3
_NO_TYPE = 4
_WITH_TYPE = 5
_SYNC = b"S\0\0\0\4"
_TERMINATE = b"X\0\0\0\4"


class StatementScanner:
    """Sees the statements of a client that speaks PostgreSQL's protocol 3 without TLS, simple or extended."""

    def __init__(self) -> None:
        self.application = ""
        self._rest = bytearray()
        self._started = False
        self._statements: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}

    def feed(self, data: bytes) -> Iterator[Piece]:
        """The client's bytes; each message that runs a statement is a piece of its own."""
        self._rest += data
        silent = bytearray()
        while (message := self._next()) is not None:
            sql = self._runs(message)
            if sql is None:
                silent += message
                continue
            if silent:
                yield Piece(bytes(silent))
                silent.clear()
            # A statement of the extended protocol that stands alone commits when the server is asked to synchronise.
            yield Piece(message, sql, _TERMINATE if message[:1] == b"Q" else _SYNC + _TERMINATE)
        if silent:
            yield Piece(bytes(silent))

    def _next(self) -> bytes | None:
        """The next whole message; the first ones of a connection have no type."""
        head = _WITH_TYPE if self._started else _NO_TYPE
        if len(self._rest) < head:
            return None
        length = head - 4 + int.from_bytes(self._rest[head - 4 : head])
        if len(self._rest) < length:
            return None
        message = bytes(self._rest[:length])
        del self._rest[:length]
        return message

    def _runs(self, message: bytes) -> str | None:
        if not self._started:
            self._greet(message)
            return None
        kind, body = message[:1], message[5:]
        if kind == b"Q":
            return _text(body)
        if kind == b"P":
            name, sql, *_ = body.split(b"\0", 2)
            self._statements[name] = sql.decode()
        elif kind == b"B":
            portal, name, *_ = body.split(b"\0", 2)
            self._portals[portal] = self._statements.get(name, "")
        elif kind == b"E":
            return self._portals.get(body.split(b"\0", 1)[0], "")
        return None

    def _greet(self, message: bytes) -> None:
        """A start-up message ends the greeting; requests for encryption and for a cancellation come before or instead."""
        self._started = int.from_bytes(message[4:6]) == _PROTOCOL_3
        if self._started:
            words = message[8:].split(b"\0")
            told = dict(zip(words[::2], words[1::2], strict=False))
            self.application = told.get(b"application_name", b"").decode()


def _text(body: bytes) -> str:
    return body.rstrip(b"\0").decode()
