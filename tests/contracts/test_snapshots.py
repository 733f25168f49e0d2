"""May the events change? Only by optional additions: what is in the topics must be readable for ever."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import new_class
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given

from libs.schema.catalogue import EVENTS
from libs.schema.event import DomainEvent
from libs.schema.orders import OrderFilled
from libs.schema.values import Price, Ratio, Volume
from tests.contracts import schemas
from tests.contracts.schemas import SNAPSHOTS, WIDENED, breaks, path_of, read, schema_of, text_of
from tests.contracts.update import update
from tests.kit.events import any_event


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type())
def test_no_event_changed_incompatibly(event: type[DomainEvent]) -> None:
    assert path_of(event).exists(), f"{event.type()} is new: run `python -m tests.contracts.update`"
    assert breaks(read(path_of(event)), schema_of(event)) == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type())
def test_the_golden_schema_is_up_to_date(event: type[DomainEvent]) -> None:
    assert path_of(event).read_text() == text_of(schema_of(event)), "run `python -m tests.contracts.update`"


def test_no_event_was_removed() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.json")} == {event.type() for event in EVENTS}


@given(any_event())
def test_every_event_meets_its_golden_schema(event: DomainEvent) -> None:
    jsonschema.validate(event.model_dump(mode="json"), read(path_of(type(event))))


class Colour(StrEnum):
    RED = "RED"
    BLUE = "BLUE"


def an_event(
    *, name: str = "Painted", topic: str = "art.v1", key: str = "painting_id", **fields: Any
) -> type[DomainEvent]:
    """A class as somebody might write it; `fields` replace those of the first release, None removes one."""
    first: dict[str, Any] = {"painting_id": (UUID,), "colour": (Colour,), "price": (Price,), "note": (str | None, None)}
    wanted = {field: spec for field, spec in (first | fields).items() if spec is not None}
    body: dict[str, Any] = {
        "__annotations__": {field: spec[0] for field, spec in wanted.items()},
        "__module__": __name__,
    }
    body |= {field: spec[1] for field, spec in wanted.items() if len(spec) > 1}
    return new_class(name, (DomainEvent,), {"topic": topic, "key": key}, lambda namespace: namespace.update(body))


class Shade(StrEnum):
    RED = "RED"
    BLUE = "BLUE"
    GREEN = "GREEN"


class Single(StrEnum):
    RED = "RED"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"artist": (str | None, None)},
        {"weights": (dict[str, int] | None, None)},
        {"framed": (bool, False)},
    ],
)
def test_an_optional_addition_is_compatible(changes: dict[str, Any]) -> None:
    assert breaks(schema_of(an_event()), schema_of(an_event(**changes))) == []


@pytest.mark.parametrize(
    ("changes", "about"),
    [
        ({"note": None}, "note: was removed"),
        ({"price": None}, "price: was removed"),
        ({"artist": (str,)}, "artist: is new and required"),
        ({"price": (str,)}, "price"),
        ({"price": (Volume,)}, "price"),
        ({"price": (Ratio,)}, "price"),
        ({"price": (Price | None, None)}, "price"),
        ({"painting_id": (str,)}, "painting_id"),
        ({"colour": (Shade,)}, "colour"),
        ({"colour": (Single,)}, "colour"),
        ({"note": (str,)}, "note"),
        ({"note": (int | None, None)}, "note"),
        ({"note": (str | None, "x")}, "note"),
        ({"colour": (Colour | None, None)}, "colour"),
        ({"topic": "art.v2"}, "topic"),
        ({"key": "colour"}, "key"),
    ],
)
def test_any_other_change_is_incompatible_and_names_event_and_field(changes: dict[str, Any], about: str) -> None:
    problems = breaks(schema_of(an_event()), schema_of(an_event(**changes)))

    assert problems
    assert all(problem.startswith("art.Painted.v1: ") for problem in problems)
    assert any(about in problem for problem in problems)


def _drop_pattern(schema: dict[str, Any]) -> None:
    schema["properties"]["symbol"].pop("pattern")


def _widen(schema: dict[str, Any]) -> None:
    schema["properties"]["side"] = {"type": "string"}


def _new_side(schema: dict[str, Any]) -> None:
    schema["$defs"]["Side"]["enum"].append("HOLD")


def _to_number(schema: dict[str, Any]) -> None:
    schema["properties"]["last_price"] = {"type": "number"}


def _describe(schema: dict[str, Any]) -> None:
    schema["description"] = schema["properties"]["symbol"]["title"] = "Something else"


@pytest.mark.parametrize(
    ("change", "field"),
    [(_drop_pattern, "symbol"), (_widen, "side"), (_new_side, "side"), (_to_number, "last_price"), (_describe, None)],
)
def test_changes_deep_in_a_real_event_are_seen(change: Callable[[dict[str, Any]], None], field: str | None) -> None:
    old = schema_of(OrderFilled)
    new = copy.deepcopy(old)
    change(new)

    problems = breaks(old, new)
    assert bool(problems) == (field is not None)
    assert all(f"orders.OrderFilled.v1: {field}" in problem for problem in problems)


@pytest.mark.parametrize(("word", "before", "after"), WIDENED)
def test_a_limit_is_widened_only_where_that_was_decided_and_never_narrowed(word: str, before: str, after: str) -> None:
    def an(limit: str) -> dict[str, Any]:
        return {"x-type": "art.Painted.v1", "properties": {"colour": {"type": "string", word: limit}}}

    assert breaks(an(before), an(after)) == []
    assert breaks(an(after), an(before))
    assert breaks(an(before), an(f"{after} "))


def test_an_update_refuses_what_is_incompatible_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tests.contracts.schemas", "tests.contracts.update"):
        monkeypatch.setattr(f"{module}.SNAPSHOTS", tmp_path)
    before, bad, good = an_event(), an_event(price=None), an_event(artist=(str | None, None))
    other = an_event(name="Sold")
    assert update([before]) == []
    golden = schemas.path_of(before).read_text()

    assert update([other, bad]) == ["art.Painted.v1: price: was removed"]
    assert [path.read_text() for path in tmp_path.iterdir()] == [golden]

    assert update([good]) == []
    assert "artist" in schemas.path_of(before).read_text()


def test_a_new_version_stands_beside_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tests.contracts.schemas", "tests.contracts.update"):
        monkeypatch.setattr(f"{module}.SNAPSHOTS", tmp_path)

    class Painted(DomainEvent, topic="art.v1", key="canvas_id", version=2):
        canvas_id: int

    assert update([an_event()]) == []
    assert update([an_event(), Painted]) == []
    assert {path.name for path in tmp_path.iterdir()} == {"art.Painted.v1.json", "art.Painted.v2.json"}


def test_a_record_without_an_optional_field_is_still_read() -> None:
    wider = an_event(artist=(str | None, None))
    first = an_event()(occurred_at=datetime.now(UTC), painting_id=UUID(int=1), colour="RED", price="1")

    assert wider.model_validate_json(first.model_dump_json()).model_dump()["artist"] is None
