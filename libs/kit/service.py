"""What is a running service? Its name, its HTTP app, and the parts that have to stay well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import FastAPI

from libs.kit.health import Probe


def _nothing_to_end() -> None:
    """Answers of this service end by themselves."""


@dataclass(frozen=True, slots=True)
class Service:
    """A context at work, as its `app.py` yields it."""

    name: str
    http: FastAPI
    probes: Sequence[Probe]
    drain: Callable[[], None] = _nothing_to_end
    """Ends answers that would never end, such as streams; called when the process begins to stop, before it waits."""
