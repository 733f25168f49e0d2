"""Which word counts where each replaces the one before? The newest, whatever the order in which words arrive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar
from uuid import UUID


class Word(Protocol):
    """Something that was said of a workspace; `sequence` is the place of the event that said it."""

    @property
    def tenant_id(self) -> UUID:
        """The workspace."""

    @property
    def sequence(self) -> int:
        """Later words have higher ones."""


W = TypeVar("W", bound=Word)


def newest(words: Iterable[W]) -> list[W]:
    """The last word on each workspace, by workspace: two consumers that write in one order never wait for each other."""
    last = {word.tenant_id: word for word in sorted(words, key=lambda word: word.sequence)}
    return sorted(last.values(), key=lambda word: word.tenant_id)
