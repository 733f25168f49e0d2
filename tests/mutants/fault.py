"""What is a fault? A patch of its own, with the sentence that says it and the tests that must see it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_HEADER = re.compile(r"^# (fault|caught by): (.+)$")
_TARGET = re.compile(r"^\+\+\+ b/(\S+)", re.MULTILINE)


class BadFault(Exception):
    """A fault that can't be planted, or that there is not; the text is one line for whoever runs the mutants."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is planted, and who has to notice."""

    name: str
    says: str
    """The fault in one sentence."""
    caught_by: tuple[str, ...]
    """Tests, one of which has to fail."""
    patch: Path

    def targets(self) -> list[str]:
        """The files that it changes."""
        return _TARGET.findall(self.patch.read_text())


def load_faults(folder: Path) -> tuple[Fault, ...]:
    """The faults of a folder in the order of their names. Raises BadFault when one does not say what it has to."""
    faults = tuple(_load(path) for path in sorted(folder.glob("*.patch")))
    if not faults:
        raise BadFault(f"there are no faults in {folder.name}")
    return faults


def _load(path: Path) -> Fault:
    said = list(_headers(path.read_text()))
    sentences = [text for kind, text in said if kind == "fault"]
    tests = tuple(text for kind, text in said if kind == "caught by")
    if len(sentences) != 1 or not tests:
        raise BadFault(
            f"{path.name} needs one line `# fault: ...` and at least one `# caught by: <test>` before the diff"
        )
    return Fault(path.stem, sentences[0], tests, path)


def _headers(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.startswith("--- "):
            return
        if found := _HEADER.match(line):
            yield found[1], found[2].strip()


def named(faults: Sequence[Fault], names: Sequence[str]) -> tuple[Fault, ...]:
    """Those of the faults. Raises BadFault for a name that there is not."""
    known = {fault.name: fault for fault in faults}
    if unknown := [name for name in names if name not in known]:
        raise BadFault(f"there is no fault {unknown[0]}; --list shows the {len(known)} that there are")
    return tuple(known[name] for name in dict.fromkeys(names))
