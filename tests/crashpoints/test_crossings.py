"""Crossings have the same names in every run, and work that only looks round is not counted for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crashpoints.crossings import BadPoint, Counting, Crossing, Journal, Kind, Point, fingerprint, writes

LOOK = Crossing(Kind.STATEMENT_SENT, "SELECT 1")
MOVED = Crossing(Kind.COMMIT_ANSWERED, "COMMIT of DELETE FROM outbox")
READ = Crossing(Kind.COMMIT_ANSWERED, "COMMIT of reads")


class Task:
    """Somebody who crosses boundaries."""


class Counted:
    def __init__(self, path: Path) -> None:
        self.act, self._path = 1, path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.counting = Counting(self._file, lambda: self.act, frozenset())

    def points(self) -> list[str]:
        return [
            str(point).replace(LOOK.id, "look")
            for point in Journal.read(self._path).crossed
            if point.crossing_id == LOOK.id
        ]


@pytest.fixture
def counted(tmp_path: Path) -> Counted:
    return Counted(tmp_path / "journal")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE b IN ($1, $2)", "SELECT a FROM t\n WHERE b IN ($1::UUID, $2, $3)"),
        ("INSERT INTO t VALUES ($1, $2)", "INSERT INTO t VALUES ($1, $2), ($3, $4), ($5, $6)"),
        ("SELECT unnest($1::uuid[])", "SELECT unnest($2::uuid[])"),
    ],
)
def test_statements_with_more_parameters_have_the_same_fingerprint(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_other_statements_have_other_fingerprints() -> None:
    assert fingerprint("SELECT a FROM t WHERE b = $1") != fingerprint("SELECT a FROM t WHERE c = $1")


def test_a_lock_is_no_write() -> None:
    assert writes("SELECT a FROM t FOR UPDATE OF t") == []
    assert writes("WITH s AS (DELETE FROM outbox RETURNING *) INSERT INTO event_log SELECT * FROM s") == [
        "DELETE FROM outbox",
        "INSERT INTO event_log",
    ]


def test_who_looks_round_is_counted_again_only_after_having_done_something(counted: Counted) -> None:
    me, other = Task(), Task()
    for _ in range(3):
        counted.counting.cross(LOOK, me)
        counted.counting.cross(READ, me)
        counted.counting.cross(MOVED, other)
    assert counted.points() == ["1-look.1"]
    counted.counting.cross(MOVED, me)
    counted.counting.cross(LOOK, me)
    assert counted.points() == ["1-look.1", "1-look.2"]


def test_everybody_is_counted_and_each_act_from_one(counted: Counted) -> None:
    counted.counting.cross(LOOK, Task())
    counted.counting.cross(LOOK, Task())
    counted.act = 2
    counted.counting.cross(LOOK, Task())
    assert counted.points() == ["1-look.1", "1-look.2", "2-look.1"]


def test_a_point_is_written_as_it_is_read() -> None:
    assert str(Point.parse("12-3fa2c1.2")) == "12-3fa2c1.2"
    with pytest.raises(BadPoint, match="17 is no point: they look like"):
        Point.parse("17")
