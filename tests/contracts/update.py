"""Write the golden schemas of new events and of compatible additions: `python -m tests.contracts.update`.

An incompatible change is refused: it needs a new version class beside the old one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from libs.schema.catalogue import EVENTS
from libs.schema.event import DomainEvent
from tests.contracts.schemas import SNAPSHOTS, breaks, path_of, read, schema_of, text_of


def update(events: Sequence[type[DomainEvent]]) -> list[str]:
    """Write what may be written; gives what is incompatible, and then nothing is written."""
    known = [event for event in events if path_of(event).exists()]
    problems = [problem for event in known for problem in breaks(read(path_of(event)), schema_of(event))]
    if not problems:
        SNAPSHOTS.mkdir(exist_ok=True)
        for event in events:
            path_of(event).write_text(text_of(schema_of(event)))
    return problems


if __name__ == "__main__":
    found = update(EVENTS)
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    if found:
        sys.stderr.write("Nothing was written. Leave the class as it was, and add one with version=2 beside it.\n")
        sys.exit(1)
