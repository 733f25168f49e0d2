"""What do all services serve, in one OpenAPI document?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fillstream.contexts import Context
from libs.kit.http.app import API_VERSION, bare_app

Document = dict[str, Any]


def merged_document(contexts: Sequence[Context]) -> Document:
    """One document of all contexts' routes. Raises ValueError when two serve the same path or name two schemas alike."""
    merged: Document = {
        "openapi": "3.1.0",
        "info": {"title": "Fillstream", "version": API_VERSION, "description": "A multi-tenant trading backend."},
        "tags": [{"name": context.name, "description": context.purpose} for context in contexts],
        "paths": {},
        "components": {},
    }
    for context in contexts:
        document = bare_app(context.name, [context.router]).openapi()
        _merge(merged["paths"], document["paths"], context.name)
        for kind, parts in document["components"].items():
            _merge(merged["components"].setdefault(kind, {}), parts, context.name)
    return merged


def _merge(target: Document, addition: Document, context: str) -> None:
    for name, value in addition.items():
        if target.setdefault(name, value) != value:
            raise ValueError(f"{context} describes {name} otherwise than another service does")
