"""How long did something take at least? An event loop counts in whole milliseconds: each wait may end one too soon."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_TOO_SOON_SECONDS = 0.005


@contextmanager
def taking_at_least(seconds: float) -> Iterator[None]:
    """Fails when what is done meanwhile takes less."""
    began = time.monotonic()
    yield
    taken = time.monotonic() - began
    assert taken >= seconds - _TOO_SOON_SECONDS, f"it took {taken:.4f} s, and {seconds} s are the least"
