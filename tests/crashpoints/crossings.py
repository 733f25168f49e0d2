"""When does a process cross a boundary, and is this the crossing at which it dies?

A crossing is a moment at which a process is about to say something to PostgreSQL or Kafka, or has just been answered; it
kills itself before it sends, or before it does anything with the answer.

How crossings are counted so that the same one can be met again: threads of work interleave as they like, so the n-th
crossing of a process is another one in every run. A point is therefore an act of the scenario, before which everything was
at rest; a kind with a fingerprint (a statement's text, the same for any number of parameters; for COMMIT the writes of its
transaction; for a record its type; for offsets their topics); and an occurrence in the act: `4-3fa2c1.2`. Which points
there are is learned from undisturbed runs, until one shows none that was not tried: 100 %.

Work that looks round again and again for something to do (reading an empty outbox, measuring lag and dead letters,
searching for trials that have ended, waiting for a lock) would count for ever. A crossing that a task has made before counts
again only when the task has committed a write, sent a record or committed offsets since: in between nothing changed that
a death could spoil. BEGIN, ROLLBACK, and the empty statement by which a pool asks whether a connection lives carry nothing
and are not counted: to die there is to die before the statement that follows.
"""

from __future__ import annotations

import asyncio
import hashlib
import mmap
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self
from weakref import WeakKeyDictionary


class Kind(StrEnum):
    """What is said or heard."""

    STATEMENT_SENT = "statement sent"
    COPY_SENT = "copy sent"
    COMMIT_SENT = "commit sent"
    COMMIT_ANSWERED = "commit answered"
    PRODUCE_SENT = "produce sent"
    PRODUCE_ACKNOWLEDGED = "produce acknowledged"
    OFFSETS_SENT = "offsets sent"
    OFFSETS_ANSWERED = "offsets answered"


_PROGRESS = frozenset({Kind.COPY_SENT, Kind.COMMIT_ANSWERED, Kind.PRODUCE_ACKNOWLEDGED, Kind.OFFSETS_ANSWERED})
_PARAMETERS = re.compile(r"\$\d+(::[\w.]+(\[\])?)?")
_REPEATED = re.compile(r"(\(\?(?:, \?)*\)|\?)(?:, \1)+")
_WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|COPY) +([\"\w.]+)")
_LOCKS = re.compile(r"\bFOR( NO KEY)? UPDATE\b")


class BadPoint(ValueError):
    """The text names no point; it says what one looks like."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A kind and what is said, whenever it is."""

    kind: Kind
    what: str

    @property
    def id(self) -> str:
        """Six characters that name it in every run."""
        return hashlib.sha256(f"{self.kind} {self.what}".encode()).hexdigest()[:6]


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """The n-th time that a process makes a crossing in an act, from 1."""

    act: int
    crossing_id: str
    occurrence: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """The point that `str` wrote. Raises BadPoint."""
        match = re.fullmatch(r"(\d{1,2})-([0-9a-f]{6})\.([1-9]\d{0,5})", text)
        if match is None:
            raise BadPoint(f"{text} is no point: they look like 4-3fa2c1.2, as --list prints them")
        return cls(int(match[1]), match[2], int(match[3]))

    def __str__(self) -> str:
        return f"{self.act}-{self.crossing_id}.{self.occurrence}"


@dataclass(frozen=True)
class Prompter:
    """Tells a process which act is on: a file of one byte, mapped by all who want to know."""

    path: Path

    def announce(self, act: int) -> None:
        """From now on it is this act."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(bytes([act]))

    @contextmanager
    def listening(self) -> Iterator[Callable[[], int]]:
        """Gives what tells the act at any time."""
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 1, access=mmap.ACCESS_READ) as byte:
            yield lambda: byte[0]


def fingerprint(statement: str) -> str:
    """A statement's text, the same for any number of parameters."""
    text = _PARAMETERS.sub("?", " ".join(statement.split()))
    before = ""
    while before != text:
        before, text = text, _REPEATED.sub(r"\1", text)
    return text


def writes(statement: str) -> list[str]:
    """What a statement writes: `INSERT INTO orders.outbox`; nothing for one that reads."""
    return [f"{verb} {table}" for verb, table in _WRITES.findall(_LOCKS.sub("", statement))]


def _name_of_commit(statements: list[str]) -> str:
    done = dict.fromkeys(write for statement in statements for write in writes(statement))
    return f"COMMIT of {', '.join(done) or 'reads'}"


@dataclass(eq=False)
class Transaction:
    """What was said in an open transaction, and which task says it: COMMIT may come from a task that it started."""

    actor: object
    statements: list[str] = field(default_factory=list)

    @property
    def commit(self) -> str:
        """The name of its COMMIT."""
        return _name_of_commit(self.statements)


@dataclass(eq=False)
class Counting:
    """Counts the crossings of this process into a journal, and kills it at points."""

    journal: int
    """A file descriptor: a line for each crossing, which outlives the process."""
    act: Callable[[], int]
    deadly: frozenset[Point]
    _occurrences: Counter[tuple[int, str]] = field(default_factory=Counter)
    _since_progress: WeakKeyDictionary[object, set[str]] = field(default_factory=WeakKeyDictionary)

    def cross(self, crossing: Crossing, actor: object) -> None:
        """Count it, unless `actor` only looks round; does not return from a deadly one."""
        made = self._since_progress.setdefault(actor, set())
        if crossing.kind in _PROGRESS and not crossing.what.endswith(" of reads"):
            made.clear()
        elif crossing.id in made:
            return
        made.add(crossing.id)
        act = self.act()
        self._occurrences[act, crossing.id] += 1
        point = Point(act, crossing.id, self._occurrences[act, crossing.id])
        dies = point in self.deadly
        os.write(self.journal, f"{point}\t{'x' if dies else '.'}\t{crossing.kind}\t{crossing.what}\n".encode())
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)


def current_actor() -> object:
    """Who acts now: the task that runs."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a boundary is crossed outside a task")
    return task


@dataclass(frozen=True)
class Journal:
    """What a process crossed before it ended."""

    crossed: dict[Point, Crossing]
    """In this order."""
    died_at: Point | None

    @classmethod
    def read(cls, path: Path) -> Self:
        """The journal that a process left."""
        crossed, died_at = {}, None
        for line in path.read_text().splitlines():
            name, mark, kind, what = line.split("\t", 3)
            point = Point.parse(name)
            crossed[point] = Crossing(Kind(kind), what)
            died_at = point if mark == "x" else died_at
        return cls(crossed, died_at)
