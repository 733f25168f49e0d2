"""In which order is what called? Rounds of schemathesis, a person after the other, until there were enough calls.

Transitions between calls are inferred by schemathesis, from the names of fields and from Location headers, so that an id
which one call gives goes into the next. Links in the document would say the same by hand and go stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from schemathesis import Config, openapi
from schemathesis.engine import events, from_schema
from schemathesis.engine.core import EventStream
from schemathesis.engine.recorder import CheckNode, ScenarioRecorder

from tests.fuzz.findings import Finding, Findings
from tests.fuzz.people import Person
from tests.fuzz.premises import EXCLUDED_CHECKS, is_fault, register_formats, was_gone_before

Document = dict[str, Any]

_REQUEST_SECONDS = 30
_STREAM_SECONDS = 0.5
_SHOWN_CHARACTERS = 400
# Of each route in a round; the rest of the round are chains of calls.
_EXAMPLES = 6
_CHAINS = 60
_KNOWN = 0.8
"""How often a field gets something that is there."""


@dataclass(frozen=True)
class Target:
    """What is called."""

    url: str
    document: Document


ENDING = frozenset({"DELETE /v1/sessions", "DELETE /v1/sessions/{session_id}"})
"""Routes that end the session which all other calls of a round are made with; `tests/auth/test_sessions.py` tries them."""


@dataclass(frozen=True)
class Plan:
    """How much is called, and by which dice."""

    calls: int
    seed: int


@dataclass(frozen=True)
class _Round:
    person: Person
    phases: Sequence[str]
    seed: int


def run(target: Target, people: Sequence[Person], plan: Plan, report: Callable[[str], None]) -> Findings:
    """Call until there were enough calls. The first round tries systematically what the document says of each field."""
    register_formats()
    findings = Findings()
    for this in _rounds(people, plan.seed):
        stream = _stream(target, this)
        for event in stream.generator:
            _collect(event, this, findings)
            if findings.total >= plan.calls:
                stream.stop()
        report(f"{findings.total} calls: {this.person.name} did {', '.join(this.phases)}")
        if findings.total >= plan.calls:
            return findings
    raise AssertionError("rounds never end")


def _rounds(people: Sequence[Person], seed: int) -> Iterator[_Round]:
    yield _Round(people[0], ("examples", "coverage"), seed)
    for number in count():
        yield _Round(people[number % len(people)], ("fuzzing", "stateful"), seed + 1 + number)


def _stream(target: Target, this: _Round) -> EventStream:
    schema = openapi.from_dict(target.document, config=Config.from_dict(_config(target, this)))
    schema.hook("filter_failure")(is_fault)
    return from_schema(schema).execute()


def _config(target: Target, this: _Round) -> Document:
    tokens = {name: {"bearer": this.person.token} for name in _bearer_schemes(target)}
    return {
        "seed": this.seed,
        "base-url": target.url,
        "workers": 1,
        "continue-on-failure": True,
        "request-timeout": _REQUEST_SECONDS,
        "max-stream-events": 1,
        "operations": [
            *({"include-name": route, "request-timeout": _STREAM_SECONDS} for route in _streams(target)),
            *({"include-name": route, "enabled": False} for route, _ in _operations(target) if route in ENDING),
        ],
        "auth": {"auto-signup": False} | ({"openapi": tokens} if tokens else {}),
        "generation": {
            "max-examples": _EXAMPLES,
            "with-security-parameters": False,
            "database": "none",
            "no-shrink": True,
        },
        "phases": {
            name: {"enabled": name in this.phases} for name in ("examples", "coverage", "fuzzing", "stateful")
        } | {"stateful": {"enabled": "stateful" in this.phases, "generation": {"max-examples": _CHAINS}}},
        "checks": {name: {"enabled": False} for name in EXCLUDED_CHECKS},
        "dictionaries": {name: {"values": list(values)} for name, values in this.person.known.items()},
        "parameters": {
            place + name: {"dictionary": name, "probability": _KNOWN} for name in this.person.known for place in ("", "body.")
        },
        "cache": {"enabled": False},
        "output": {"sanitization": {"enabled": False}},
        "warnings": False,
    }  # fmt: skip


def _operations(target: Target) -> Iterator[tuple[str, Document]]:
    for path, methods in target.document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def _streams(target: Target) -> list[str]:
    """Routes whose answer never ends."""
    return [
        route
        for route, operation in _operations(target)
        if any("text/event-stream" in response.get("content", {}) for response in operation["responses"].values())
    ]


def _bearer_schemes(target: Target) -> list[str]:
    schemes = target.document.get("components", {}).get("securitySchemes", {})
    return [name for name, scheme in schemes.items() if scheme.get("scheme") == "bearer"]


def _collect(event: events.EngineEvent, this: _Round, findings: Findings) -> None:
    match event:
        case events.ScenarioFinished():
            _collect_calls(event.recorder, findings)
            for case_id, checks in event.recorder.checks.items():
                for check in checks:
                    if check.failure_info is not None and not was_gone_before(
                        event.recorder, case_id, check.failure_info.failure
                    ):
                        findings.add(_finding(event.recorder, case_id, check, this.person))
        case events.NonFatalError():
            message = f"{event.info.title}: {event.info.message}"
            findings.add(Finding(event.label, "the generator itself", message, "", event.info.code_sample or ""))
        case events.FatalError():
            raise event.exception


def _collect_calls(recorder: ScenarioRecorder, findings: Findings) -> None:
    for case_id, interaction in recorder.interactions.items():
        status = None if interaction.response is None else interaction.response.status_code
        findings.calls[recorder.cases[case_id].value.operation.label, status] += 1


def _finding(recorder: ScenarioRecorder, case_id: str, check: CheckNode, person: Person) -> Finding:
    if check.failure_info is None:
        raise AssertionError
    failure = check.failure_info.failure
    route = recorder.cases[case_id].value.operation.label
    response = recorder.interactions[failure.case_id or case_id].response
    answer = "no answer"
    if response is not None:
        answer = f"{response.status_code} {response.content[:_SHOWN_CHARACTERS].decode(errors='replace')}"
    curl = check.failure_info.code_sample.replace(person.token, f"$TOKEN_OF_{person.name.upper()}")
    return Finding(route, check.name, f"{failure.title}: {failure.message}", answer, curl)
