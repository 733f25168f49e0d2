"""Who gets in where? Every served route, crossed with everybody who may ask, each against what is stated."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi import APIRouter, FastAPI
from httpx2 import Response

from fillstream.contexts import load_all
from fillstream.openapi import merged_document
from services.auth.model import SCOPES_OF_ROLE, PlatformRole
from tests.auth.builders import bearer
from tests.interfaces.credentials import REFUSED, Attempt, Presented
from tests.interfaces.expectations import EXPECTATIONS, ROLES, SCHEMES, Foreign, Operational, Public, Scoped
from tests.interfaces.people import Call
from tests.interfaces.premises import ALL_SCOPES, Neighbours, Premises, scopes_of, workspace_of
from tests.interfaces.routes import served
from tests.interfaces.rows import ids_of_alone, rows_of
from tests.second_factor import log_in_as_staff


@dataclass(frozen=True, slots=True)
class Cell:
    """Somebody at a route."""

    route: str
    who: str

    @property
    def title(self) -> str:
        """How the case is called."""
        return f"{self.route} · {self.who}"


def _cells(kind: type[object], *who: str) -> list[Cell]:
    return [Cell(route, one) for route, stated in EXPECTATIONS.items() if isinstance(stated, kind) for one in who]


def _stated(route: str) -> Scoped:
    stated = EXPECTATIONS[route]
    assert isinstance(stated, Scoped)
    return stated


def _attempt(premises: Premises, neighbours: Neighbours) -> Attempt:
    return Attempt(neighbours.ada, premises.forger(neighbours.ada), ALL_SCOPES)


async def _ask(premises: Premises, owner: str, route: str, call: Call, shown: Presented) -> Response:
    asked = Call(call.body, call.path, {**call.query, **shown.query})
    return await premises.send_to(owner, route, asked, shown.headers)


def unstated(routes: dict[str, frozenset[str]]) -> list[str]:
    """Routes that somebody serves and nobody expects."""
    return sorted(f"{route} of {owner}" for owner, served_ in routes.items() for route in served_ - set(EXPECTATIONS))


async def test_every_served_route_has_a_stated_expectation(premises: Premises) -> None:
    assert unstated(dict(premises.routes)) == []


async def test_every_stated_route_is_served(premises: Premises) -> None:
    assert set(EXPECTATIONS) - set().union(*premises.routes.values()) == set()


def test_a_route_that_nobody_expects_is_found_wherever_it_was_put() -> None:
    app, inner, outer = FastAPI(openapi_url=None), APIRouter(), APIRouter(prefix="/v1")
    inner.delete("/all", include_in_schema=False)(lambda: None)
    outer.include_router(inner, prefix="/everything")
    app.include_router(outer)
    app.mount("/files", FastAPI())
    app.websocket("/live")(lambda _: None)
    assert unstated({"new": frozenset(served(app.routes))}) == [
        "APIWebSocketRoute /live of new", "DELETE /v1/everything/all of new", "Mount /files of new",
    ]  # fmt: skip


def test_every_way_to_prove_who_one_is_is_in_the_matrix() -> None:
    schemes = merged_document(load_all())["components"]["securitySchemes"].values()
    assert {f"{scheme['type']} {scheme.get('scheme', scheme.get('in'))}" for scheme in schemes} == SCHEMES


def test_every_role_allows_what_is_stated() -> None:
    assert {role.value: scopes for role, scopes in SCOPES_OF_ROLE.items()} == dict(ROLES)


def test_every_scope_that_a_route_demands_can_be_had() -> None:
    assert set(ALL_SCOPES.split()) - set().union(*ROLES.values()) == set()


async def test_a_login_gives_the_scopes_of_the_persons_roles_and_no_more(premises: Premises) -> None:
    person = await premises.register("carol@example.com")
    assert _claimed(person.session.access_token) == ROLES["OWNER"] | ROLES["USER"]

    await premises.raised(person, PlatformRole.ADMIN)

    assert _claimed((await person.log_in()).access_token) == ROLES["OWNER"]
    with_both = await log_in_as_staff(premises.ask, person.email, person.password)
    assert _claimed(with_both["access_token"]) == ROLES["OWNER"] | ROLES["ADMIN"]


def _claimed(token: str) -> set[str]:
    payload = token.split(".")[1]
    return set(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["scope"].split())


@pytest.fixture(scope="module")
async def calls(residents: Neighbours) -> dict[str, Call]:
    """One call of Ada's for each route, for those who are refused: nothing of it is used up."""
    return {route: await stated.make(residents.ada) for route, stated in EXPECTATIONS.items()}


@pytest.mark.parametrize("cell", _cells(Scoped, *REFUSED))
async def test_nobody_gets_in_without_a_valid_token(
    premises: Premises, neighbours: Neighbours, calls: dict[str, Call], cell: Cell
) -> None:
    shown = REFUSED[cell.who](_attempt(premises, neighbours))

    answer = await _ask(premises, premises.owner(cell.route), cell.route, calls[cell.route], shown)

    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"] == "Bearer"
    assert _reason(answer) == "unauthenticated"


async def _call(cell: Cell, neighbours: Neighbours) -> Call:
    return await EXPECTATIONS[cell.route].make(neighbours.ada)


def _reason(answer: Response) -> str:
    return str(answer.json()["type"]).rpartition(":")[2]


@pytest.mark.parametrize(
    "cell", [cell for cell in _cells(Scoped, "missing scope", "no scope") if _stated(cell.route).scope]
)
async def test_nobody_gets_in_without_the_scope(
    premises: Premises, neighbours: Neighbours, calls: dict[str, Call], cell: Cell
) -> None:
    others = set(ALL_SCOPES.split()) - {str(_stated(cell.route).scope)} if cell.who == "missing scope" else ()
    token = premises.forger(neighbours.ada).token(scope=" ".join(others))

    answer = await premises.send(cell.route, calls[cell.route], bearer(token))

    assert (answer.status_code, _reason(answer)) == (403, "missing-scope"), answer.text


@pytest.mark.parametrize("cell", _cells(Scoped, "the scope alone"))
async def test_the_stated_scope_is_enough(premises: Premises, neighbours: Neighbours, cell: Cell) -> None:
    token = premises.forger(neighbours.ada).token(scope=_stated(cell.route).scope or "")

    answer = await premises.send(cell.route, await _call(cell, neighbours), bearer(token))

    _check_done(cell, answer)


def _check_done(cell: Cell, answer: Response) -> None:
    refused = _stated(cell.route).refused
    if refused is None:
        assert answer.is_success, answer.text
    else:
        assert (answer.status_code, _reason(answer)) == refused, answer.text


@pytest.mark.parametrize("cell", _cells(Scoped, *ROLES))
async def test_a_role_opens_what_it_is_stated_to(premises: Premises, neighbours: Neighbours, cell: Cell) -> None:
    token = premises.forger(neighbours.ada).token(scope=scopes_of(cell.who))
    scope = _stated(cell.route).scope

    answer = await premises.send(cell.route, await _call(cell, neighbours), bearer(token))

    if scope is None or scope in ROLES[cell.who]:
        _check_done(cell, answer)
    else:
        assert (answer.status_code, _reason(answer)) == (403, "missing-scope"), answer.text


@pytest.mark.parametrize("cell", _cells(Scoped, "foreign workspace"))
async def test_another_workspaces_token_opens_none_of_ours(
    premises: Premises, neighbours: Neighbours, cell: Cell
) -> None:
    call, ours = await _call(cell, neighbours), workspace_of(neighbours.ada)
    await premises.in_flight.wait_until_none()
    before = await rows_of(premises.admin, ours)
    private = neighbours.private | await ids_of_alone(premises.admin, ours)

    answer = await premises.send(cell.route, call, bearer(neighbours.stranger(cell.route).everything))

    await premises.in_flight.wait_until_none()
    assert {one for one in private if one in answer.text and one not in call.said()} == set()
    _check_foreign(_stated(cell.route).foreign, answer, call)
    # What belongs to everybody has its effects in every workspace: a bar moves all strategies that watch it.
    assert _stated(cell.route).foreign is Foreign.SHARED or await rows_of(premises.admin, ours) == before


def _check_foreign(expected: Foreign, answer: Response, call: Call) -> None:
    if expected is Foreign.HIDDEN:
        assert (answer.status_code, _reason(answer)) == (404, "not-found"), answer.text
        return
    if expected is Foreign.SPENT:
        assert (answer.status_code, _reason(answer)) == (422, "token-spent"), answer.text
        return
    assert answer.is_success, answer.text
    if expected is Foreign.EMPTY:
        assert answer.json()["items"] == []
    named = {Foreign.SHARED, Foreign.NAMED, Foreign.STAFF}
    assert expected in named or not any(value in answer.text for value in call.path.values())


@pytest.mark.parametrize("cell", _cells(Scoped, "ours after all"))
async def test_what_a_stranger_does_not_see_is_there(premises: Premises, neighbours: Neighbours, cell: Cell) -> None:
    # Without it, a list that is empty for everybody would pass for one that hides.
    answer = await premises.send(cell.route, await _call(cell, neighbours), bearer(neighbours.ada.everything))

    _check_done(cell, answer)
    if _stated(cell.route).foreign is Foreign.EMPTY:
        assert answer.json()["items"] != []


@pytest.mark.parametrize("cell", _cells(Public, *REFUSED))
async def test_what_is_public_is_open_whatever_token_comes_along(
    premises: Premises, neighbours: Neighbours, cell: Cell
) -> None:
    shown = REFUSED[cell.who](_attempt(premises, neighbours))

    answer = await _ask(premises, premises.owner(cell.route), cell.route, await _call(cell, neighbours), shown)

    # A token in the address is a parameter that no route knows.
    assert answer.status_code == 422 if shown.query else answer.is_success, answer.text


@dataclass(frozen=True, slots=True)
class Door:
    """An operator's route at one of the apps that serve it."""

    route: str
    owner: str

    @property
    def title(self) -> str:
        """How the case is called."""
        return f"{self.route} of {self.owner}"


def _doors() -> Iterator[Door]:
    for route, stated in EXPECTATIONS.items():
        if isinstance(stated, Operational):
            yield from (Door(route, owner) for owner in stated.at)


@pytest.mark.parametrize("door", list(_doors()))
async def test_what_operators_see_asks_for_no_token_and_tells_nothing_of_a_workspace(
    premises: Premises, neighbours: Neighbours, door: Door
) -> None:
    for credential in REFUSED.values():
        shown = credential(_attempt(premises, neighbours))
        answer = await _ask(premises, door.owner, door.route, Call(), shown)
        assert answer.is_success, answer.text
        assert {one for one in neighbours.private if one in answer.text} == set()
