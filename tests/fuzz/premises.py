"""What do the generators know beside the document, and which of schemathesis's verdicts are not faults, and why?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response, openapi
from schemathesis.core.failures import Failure
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData

from libs.kit.http.idempotency import REPLAYED
from libs.kit.http.pagination import CURSOR_FORMAT, Position
from services.auth.model import Refusal

EXCLUDED_CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "object_level_authorization": "needs a file of users; tests/interfaces tries every route with foreign tenants",
    }
)
"""Checks that are left out, each with its reason. All others are on, those of later releases of schemathesis too;
`max_response_time` has to be given a time, and times are what `make bench` measures."""

# How pydantic begins when a value has the wrong type, form or size: all that JSON Schema can say, and so has to.
_WORDS_OF_SCHEMAS = (
    "Input should", "String should", "List should", "Decimal input should", "Value should", "Data should", "Field required",
    "Extra inputs", "Unable to", "Invalid", "Dictionary should", "URL should", "UUID input should", "Datetimes should",
    "Timezone", "should look like",
)  # fmt: skip

_moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 bounds are naive
_cursors = st.builds(Position, _moments, st.uuids()).map(Position.cursor)
_emails = st.from_regex(r"[a-z][a-z0-9.]{0,14}[a-z0-9]@[a-z][a-z0-9]{0,9}\.(com|org|eu)", fullmatch=True).filter(
    lambda address: ".." not in address
)


def register_formats() -> None:
    """Teach schemathesis the formats of the documents: cursors, and addresses in domains that are not reserved."""
    openapi.format(CURSOR_FORMAT, _cursors)
    openapi.format("email", _emails)


def is_fault(_context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Whether a failed check is a fault. A verdict is let go for one of the reasons in this file alone."""
    return not any(excuse(failure, case, response) for excuse in _EXCUSES)


def was_gone_before(recorder: ScenarioRecorder, case_id: str, failure: Failure) -> bool:
    """Whether a thing is missing that was not made just now: the answer that names it was told again, for its key."""
    if not isinstance(failure, EnsureResourceAvailability):
        return False
    parent = recorder.find_parent(case_id=case_id)
    answer = parent and recorder.find_response(case_id=parent.id)
    return bool(answer) and REPLAYED.lower() in answer.headers


def _broke_a_rule(failure: Failure, case: Case[Any], response: Response) -> bool:
    """A request that the schema allows may be refused by a rule that JSON Schema can't say, as: slow exceeds fast.

    Then the problem names the field and the rule in words of the house. Words of pydantic's mean that code asks for what the
    document does not say; but a whole number with a point is an integer to JSON Schema, and a float to us.
    """
    if not isinstance(failure, RejectedPositiveData) or response.status_code != HTTPStatus.UNPROCESSABLE_ENTITY:
        return False
    errors = json.loads(response.content)["errors"]
    return bool(errors) and not any(
        error["message"].startswith(_WORDS_OF_SCHEMAS) and not isinstance(_at(case.body, error["pointer"]), float)
        for error in errors
    )


def _at(body: object, pointer: str) -> object:
    """What a body holds at a pointer; None where it holds nothing."""
    for name in pointer.split("/")[1:]:
        if isinstance(body, dict):
            body = body.get(name)
        elif isinstance(body, list) and name.isdecimal() and int(name) < len(body):
            body = body[int(name)]
    return body


def _handed_on_nothing(failure: Failure, case: Case[Any], _response: Response) -> bool:
    """An optional id of an answer, as an order's strategy, is handed on to a path even when it is null, and says `None`."""
    return isinstance(failure, RejectedPositiveData) and "None" in map(str, (case.path_parameters or {}).values())


def _spoke_oauth(failure: Failure, _case: Case[Any], response: Response) -> bool:
    """A code, token or key of the right form that nobody gave is answered 400 with OAuth's word for it (RFC 6749, 5.2)."""
    if not isinstance(failure, RejectedPositiveData) or response.status_code != HTTPStatus.BAD_REQUEST:
        return False
    return json.loads(response.content).get("error") in set(Refusal)


_EXCUSES: tuple[Callable[[Failure, Case[Any], Response], bool], ...] = (_broke_a_rule, _handed_on_nothing, _spoke_oauth)
