"""Which contexts are there? Every package under `services/` that has an `app.py`; found, never listed by hand."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from fastapi import APIRouter
from sqlalchemy import MetaData

import services
from libs.kit.handlers import Handlers
from libs.kit.migrate import SchemaSource
from libs.kit.service import Service
from libs.kit.settings import Settings
from libs.schema.event import DomainEvent


@dataclass(frozen=True)
class Context:
    """One bounded context, by the files that every one has."""

    name: str
    purpose: str
    """What it owns, publishes and consumes, in the words of its package."""
    settings: type[Settings]
    router: APIRouter
    handlers: Callable[[Settings], Handlers]
    service: Callable[[Settings], AbstractAsyncContextManager[Service]]
    metadata: MetaData
    source: SchemaSource

    def listens_to(self) -> frozenset[type[DomainEvent]]:
        """The events that it handles, whatever its settings."""
        return frozenset(handler.event for handler in self.handlers(self.settings.model_construct()))

    def topics(self) -> frozenset[str]:
        """The topics that it consumes."""
        return frozenset(event.topic for event in self.listens_to())


def names() -> list[str]:
    """The contexts' names, in alphabetical order."""
    found = pkgutil.iter_modules(services.__path__)
    return sorted(m.name for m in found if (Path(services.__path__[0]) / m.name / "app.py").is_file())


def load(name: str) -> Context:
    """The context of that name. Raises LookupError when there is none."""
    if name not in names():
        raise LookupError(f"there is no service {name}; there are {', '.join(names())}")
    package = f"services.{name}"
    model = importlib.import_module(f"{package}.model")
    return Context(
        name=name,
        purpose=(importlib.import_module(package).__doc__ or "").strip(),
        settings=importlib.import_module(f"{package}.settings").Settings,
        router=importlib.import_module(f"{package}.api").router,
        handlers=importlib.import_module(f"{package}.consumers").handlers,
        service=importlib.import_module(f"{package}.app").service,
        metadata=cast("MetaData", model.Base.metadata),
        source=SchemaSource(name, Path(services.__path__[0]) / name / "migrations"),
    )


def load_all() -> Sequence[Context]:
    """Every context."""
    return [load(name) for name in names()]
