"""How does a process get a clock of its own, that tests can set? By libfaketime, which is loaded before its libc."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

_LIBRARY = Path("vendor/libfaketime/src/libfaketime.so.1")


class SteppingClock:
    """The wall clock of the processes that were started with `environment`; the monotonic one is not touched."""

    def __init__(self, file: Path) -> None:
        """The file tells the processes how late it is; many may read it, and it must outlive them."""
        self._file = file
        self.step(timedelta())

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables for a process whose clock this is."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            # Else a step is seen when ten seconds have passed.
            "FAKETIME_NO_CACHE": "1",
            # Time limits and pauses are measured by it; no step of the wall clock moves it.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, away: timedelta) -> None:
        """Set the clock to so much after the true time; before it when negative."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{away.total_seconds():+.3f}\n")
        draft.replace(self._file)


def library() -> Path:
    """The shared library in the package `libfaketime`, which is not imported: that would start to fake in here."""
    package = importlib.util.find_spec("libfaketime")
    if package is None or package.origin is None:
        raise FileNotFoundError("libfaketime is not installed: `make install` with the development lock has it")
    found = Path(package.origin).parent / _LIBRARY
    if not found.exists():
        raise FileNotFoundError(f"{found} was not built for this platform")
    return found
