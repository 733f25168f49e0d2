"""How does a context say what it listens to? A handler is a function of a transaction and a sequence of events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from libs.kit.db import Tx
from libs.schema.event import DomainEvent, Envelope

E = TypeVar("E", bound=DomainEvent)
HandlerFunction = Callable[[Tx, Sequence[Envelope[E]]], Awaitable[None]]
Preparation = Callable[[Tx, Sequence[Envelope[Any]]], Awaitable[None]]
"""Called once in a transaction, before its first handler, with all events whose handlers name it."""


class Order(Enum):
    """What the events of a kind have to wait for."""

    OF_KEY = "of key"
    """Those before it of the same key: behind one that is dead, all later ones are parked."""
    NONE = "none"
    """Nothing: each stands alone, and one that is dead holds up no other."""


@dataclass(frozen=True)
class Handler(Generic[E]):
    """One kind of event and what a context does about it."""

    event: type[E]
    function: HandlerFunction[E]
    before: tuple[Preparation, ...] = ()
    """Take the locks that events of several kinds want, in one order: handlers one by one would take them in any."""
    order: Order = Order.OF_KEY

    async def __call__(self, tx: Tx, envelopes: Sequence[Envelope[E]]) -> None:
        """Handle the events, which are in order for each key."""
        await self.function(tx, envelopes)


def on(event: type[E], *before: Preparation) -> Callable[[HandlerFunction[E]], Handler[E]]:
    """Make a function the handler of one kind of event."""

    def decorate(function: HandlerFunction[E]) -> Handler[E]:
        return Handler(event, function, before)

    return decorate


def on_each(event: type[E]) -> Callable[[HandlerFunction[E]], Handler[E]]:
    """Make a function the handler of a kind of event each of which stands alone, as nothing follows from their order."""

    def decorate(function: HandlerFunction[E]) -> Handler[E]:
        return Handler(event, function, order=Order.NONE)

    return decorate


Handlers = Sequence[Handler[Any]]
"""Handlers of different events; each is called with its own kind alone."""


def preparations_of(handlers: Handlers) -> tuple[Preparation, ...]:
    """All that the handlers name, each once, in the order in which they name it first: whatever a batch begins with."""
    return tuple(dict.fromkeys(before for handler in handlers for before in handler.before))


def topics_of(handlers: Handlers) -> tuple[str, ...]:
    """The topics that the handlers' events come from."""
    return tuple(sorted({handler.event.topic for handler in handlers}))


def unordered_topics(handlers: Handlers) -> tuple[str, ...]:
    """The topics of which all that is handled stands alone."""
    ordered = topics_of([handler for handler in handlers if handler.order is Order.OF_KEY])
    return tuple(topic for topic in topics_of(handlers) if topic not in ordered)
