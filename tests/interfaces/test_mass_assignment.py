"""Can a caller set what is not theirs to set? Every writable model is sent every field of the models that are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from pydantic import BaseModel

from fillstream.contexts import Context, load_all
from tests.auth.builders import bearer
from tests.interfaces.expectations import EXPECTATIONS, Scoped
from tests.interfaces.fields import STRANGER, Json, Place, document_of, places, tempting_fields
from tests.interfaces.people import Call
from tests.interfaces.premises import Neighbours, Premises
from tests.interfaces.rows import every_lasting_row, every_row

_WRITING = ("post", "put", "patch")


@dataclass(frozen=True, slots=True)
class Writable:
    """A route that takes a body, or could be sent one."""

    context: Context
    route: str
    said: Json

    @property
    def title(self) -> str:
        """How the case is called."""
        return self.route

    @property
    def schema(self) -> Json | None:
        """The model of the body; None when the route takes none."""
        content = self.said.get("requestBody", {}).get("content", {})
        schema: Json | None = content.get("application/json", {}).get("schema")
        return schema


def _writing() -> Iterator[Writable]:
    for context in load_all():
        for path, methods in document_of(context)["paths"].items():
            yield from (
                Writable(context, f"{method.upper()} {path}", methods[method])
                for method in _WRITING
                if method in methods
            )


WITH_BODY = [one for one in _writing() if "requestBody" in one.said]
WITHOUT_BODY = [one for one in _writing() if "requestBody" not in one.said]


@dataclass(frozen=True, slots=True)
class Attack:
    """A field that an object of a body does not know."""

    place: Place
    name: str
    value: object

    @property
    def pointer(self) -> str:
        """Where it is planted."""
        return f"{self.place.pointer}/{self.name}"

    def on(self, body: Json) -> Json:
        """The body with that field too many."""
        return self.place.planted(body, self.name, self.value)


def attacks(context: Context, schema: Json, body: Json) -> Iterator[Attack]:
    """Every field in every object of the body that does not know it."""
    fields = tempting_fields(context)
    for place in places(document_of(context), schema, body):
        yield from (Attack(place, name, fields[name]) for name in sorted(set(fields) - place.declared))


@dataclass(frozen=True, slots=True)
class Target:
    """A route that is attacked, and a body that it would take."""

    client: AsyncClient
    method: str
    path: str
    body: Json
    token: str

    async def taken(self, attacks_: Sequence[Attack]) -> list[str]:
        """The fields that were not refused by their names, neither all of them together nor each alone."""
        together = await self._send(reduce(lambda body, attack: attack.on(body), attacks_, self.body))
        found = []
        for attack in attacks_:
            if attack.pointer in _refused(together):
                continue
            alone = await self._send(attack.on(self.body))
            if attack.pointer not in _refused(alone):
                found.append(f"{attack.pointer}: {alone.status_code} {alone.text}")
        return found

    async def _send(self, body: Json) -> Response:
        return await self.client.request(self.method, self.path, json=body, headers=bearer(self.token))


def _refused(answer: Response) -> set[str]:
    errors = answer.json().get("errors", []) if answer.status_code == 422 else []
    return {error["pointer"] for error in errors}


@pytest.mark.parametrize("one", WITH_BODY)
async def test_a_field_that_is_not_the_callers_to_set_is_refused_by_its_name_and_nothing_changes(
    premises: Premises, neighbours: Neighbours, one: Writable
) -> None:
    call = await EXPECTATIONS[one.route].make(neighbours.ada)
    assert one.schema is not None, "it takes a body that is not JSON: state how to attack that"
    assert call.body is not None
    await premises.in_flight.wait_until_none()
    before = await every_lasting_row(premises.admin)
    method, path = one.route.split()

    target = Target(
        premises.clients[one.context.name], method, path.format_map(call.path), call.body, neighbours.ada.everything
    )

    assert await target.taken(list(attacks(one.context, one.schema, call.body))) == []
    await premises.in_flight.wait_until_none()
    assert await every_lasting_row(premises.admin) == before


@pytest.mark.parametrize("one", WITHOUT_BODY)
async def test_a_route_that_takes_no_body_takes_nothing_from_one(
    premises: Premises, neighbours: Neighbours, one: Writable
) -> None:
    call = await EXPECTATIONS[one.route].make(neighbours.ada)
    sent = Call(tempting_fields(one.context), call.path, call.query)

    answer = await premises.send(one.route, sent, bearer(neighbours.ada.everything))

    refused = EXPECTATIONS[one.route].refused if isinstance(EXPECTATIONS[one.route], Scoped) else None
    assert answer.is_success or answer.status_code in {422, *(refused or ())}, answer.text
    await premises.in_flight.wait_until_none()
    kept = await every_row(premises.admin)
    assert [table for table, rows in kept.items() if any(STRANGER in row for row in rows)] == []


def test_every_object_of_a_body_is_attacked_with_what_is_shown_and_what_is_kept() -> None:
    [orders] = [one for one in WITH_BODY if one.route == "POST /v1/orders"]
    assert {"/tenant_id", "/status", "/cumulative_quantity", "/commission", "/version", "/reserved"} <= _pointers(
        orders, {"account_id": STRANGER}
    )
    [bars] = [one for one in WITH_BODY if one.route == "POST /v1/bars"]
    pointers = _pointers(bars, {"bars": [{"symbol": "AAPL"}, {"symbol": "IBM"}]})
    assert {"/duplicates", "/bars/0/close_time", "/bars/1/version"} <= pointers
    assert not {"/bars", "/bars/0/symbol"} & pointers


def _pointers(one: Writable, body: Json) -> set[str]:
    assert one.schema is not None
    return {attack.pointer for attack in attacks(one.context, one.schema, body)}


class _Loose(BaseModel):
    symbol: str


async def _loose(body: _Loose) -> _Loose:
    return body


async def test_a_model_that_takes_what_it_does_not_know_is_found() -> None:
    app = FastAPI()
    app.post("/v1/loose")(_loose)
    attack = Attack(Place("", frozenset({"symbol"})), "tenant_id", STRANGER)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
        found = await Target(client, "POST", "/v1/loose", {"symbol": "AAPL"}, "").taken([attack])
    assert [one.partition(":")[0] for one in found] == ["/tenant_id"]
