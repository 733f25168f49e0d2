"""How does a typed value live in a JSONB column? Written and validated by its pydantic type."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator

T = TypeVar("T")


class JsonOf(TypeDecorator[T], Generic[T]):
    """A JSONB column of one type; Decimals are strings in it, so that no digit is lost."""

    impl = JSONB
    cache_ok = True

    def __init__(self, adapter: TypeAdapter[T]) -> None:
        super().__init__()
        self.adapter = adapter

    def process_bind_param(self, value: T | None, dialect: Dialect) -> object:  # noqa: ARG002
        """From the value to JSON."""
        return None if value is None else self.adapter.dump_python(value, mode="json")

    def process_result_value(self, value: object, dialect: Dialect) -> T | None:  # noqa: ARG002
        """From JSON to the value. Raises ValidationError when it is not of the type."""
        return None if value is None else self.adapter.validate_python(value)
