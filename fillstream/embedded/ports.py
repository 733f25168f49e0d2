"""Which loopback ports do the servers listen on?"""

import json
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fillstream.embedded.errors import StackError

LOOPBACK = "127.0.0.1"
# Below the range of outgoing connections of Linux and macOS: a client that keeps trying the port of a server which is
# down could otherwise be given that very port and connect to itself.
CANDIDATES = range(20_000, 32_000)
TRIES = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def choose_port(state: Path, name: str) -> int:
    """The port that `name` had before, if it is free, else another one; the choice is kept in the state file."""
    known = _read(state)
    before = known.get(name)
    if before is not None and is_free(before):
        return before
    port = _any_free(set(known.values()))
    _write(state, {**known, name: port})
    return port


@contextmanager
def taken(port: int, server: str) -> Iterator[None]:
    """Say so when a server cannot start because another program took its port after it was chosen."""
    try:
        yield
    except StackError as error:
        if is_free(port):
            raise
        raise StackError(f"Port {port} of {LOOPBACK} was taken while {server} was starting: start again.") from error


def _any_free(taken: set[int]) -> int:
    for _ in range(TRIES):
        port = random.choice(CANDIDATES)  # noqa: S311 - not a secret
        if port not in taken and is_free(port):
            return port
    raise StackError(f"No free port was found on {LOOPBACK} between {CANDIDATES.start} and {CANDIDATES.stop}.")


def _read(state: Path) -> dict[str, int]:
    try:
        known = json.loads(state.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return {str(name): int(port) for name, port in known.items()}


def _write(state: Path, ports: dict[str, int]) -> None:
    fresh = state.with_suffix(".new")
    fresh.write_text(json.dumps(ports, indent=2))
    fresh.replace(state)
