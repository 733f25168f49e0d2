"""How may a demo be run?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line asks for."""

    keep: bool
    as_json: bool
    processes: bool
    kill: str | None
    data: Path | None
