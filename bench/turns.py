"""How are contestants compared? They take turns, round after round, and their medians count."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from statistics import median

Contestant = Callable[[str], Awaitable[float]]
"""Does the work once, checks that it is done, and gives the figure; the text is a name that no other turn has."""


async def in_turns(rounds: int, contestants: Mapping[str, Contestant]) -> dict[str, float]:
    """The median figure of each contestant. Who begins changes from round to round."""
    names = list(contestants)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in (*names[first:], *names[:first]):
            figures[name].append(await contestants[name](f"{name.replace(' ', '-')}-{turn}"))
    return {name: median(values) for name, values in figures.items()}
