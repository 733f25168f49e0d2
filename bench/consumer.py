"""How fast does the kit consume? Against the same work by hand, and against a plain handler, in one run.

`python -m bench.consumer [EVENTS] [ROUNDS]` prints a table and writes bench/results.json. The contestants take turns,
and the medians are compared.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
from argparse import ArgumentParser
from pathlib import Path
from statistics import median

from bench.contestants import by_hand, kit, plain_faststream
from bench.workload import arena

_RESULTS = Path(__file__).parent / "results.json"
_PLAIN_EVENTS = 2_000
_WANTED_OF_HAND = 0.6
_WANTED_OF_PLAIN = 20


async def measure(events: int, rounds: int) -> dict[str, float]:
    """Median events a second of each contestant, each result checked for one effect per event."""
    rates: dict[str, list[float]] = {"kit": [], "by hand": [], "plain FastStream": []}
    async with arena(events) as place:
        for turn in range(rounds):
            for name, contestant in (("by hand", by_hand), ("kit", kit)):
                await place.reset()
                seconds = await contestant(place, f"{name.replace(' ', '-')}-{turn}")
                await place.check(events)
                rates[name].append(events / seconds)
            await place.reset()
            seconds = await plain_faststream(place, f"plain-{turn}", _PLAIN_EVENTS)
            await place.check(_PLAIN_EVENTS)
            rates["plain FastStream"].append(_PLAIN_EVENTS / seconds)
    return {name: median(values) for name, values in rates.items()}


def main() -> None:
    """Measure, tell, and keep the results."""
    arguments = ArgumentParser(description=__doc__)
    arguments.add_argument("events", type=int, nargs="?", default=60_000)
    arguments.add_argument("rounds", type=int, nargs="?", default=3)
    chosen = arguments.parse_args()
    events, rounds = chosen.events, chosen.rounds
    rates = asyncio.run(measure(events, rounds))
    of_hand, of_plain = rates["kit"] / rates["by hand"], rates["kit"] / rates["plain FastStream"]
    print(f"{events} events, median of {rounds} rounds, events a second")
    for name, rate in rates.items():
        print(f"  {name:18} {rate:10,.0f}")
    print(f"  kit / by hand          {of_hand:6.2f}   wanted {_WANTED_OF_HAND}")
    print(f"  kit / plain FastStream {of_plain:6.1f}   wanted {_WANTED_OF_PLAIN}")
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    result = {
        "events": events, "rounds": rounds, "events_per_second": {name: round(rate) for name, rate in rates.items()},
        "kit_of_by_hand": round(of_hand, 2), "kit_of_plain": round(of_plain, 1),
    }  # fmt: skip
    _RESULTS.write_text(json.dumps({"machine": machine, "consumer": result}, indent=2) + "\n")


if __name__ == "__main__":
    main()
