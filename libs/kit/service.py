"""What is a running service? Its name, its HTTP app, and the parts that have to stay well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import FastAPI

from libs.kit.health import Probe


@dataclass(frozen=True, slots=True)
class Service:
    """A context at work, as its `app.py` yields it."""

    name: str
    http: FastAPI
    probes: Sequence[Probe]
