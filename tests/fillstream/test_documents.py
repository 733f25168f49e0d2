"""The documents that the code writes of itself hold all of it, and refuse to hold two truths."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter
from pydantic import BaseModel, create_model

from fillstream.catalogue import EVERY_CONTEXT, asyncapi_document, events_page, listeners, publisher, write
from fillstream.contexts import load, load_all, names
from fillstream.openapi import merged_document
from libs.schema.catalogue import EVENTS, TOPICS

CONTEXTS = load_all()


def resolve(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


def test_every_event_is_in_the_page_with_its_topic_its_publisher_its_listeners_and_its_fields() -> None:
    page = events_page(CONTEXTS)
    for event in EVENTS:
        heard = ", ".join(listeners(event, CONTEXTS)) or "clients only"
        anchor = event.type().lower().replace(".", "")
        row = f"| [`{event.type()}`](#{anchor}) | `{event.topic}` | `{event.key}` | {publisher(event)} | {heard} |"
        assert row in page
        section = page.partition(f"\n## {event.type()}\n")[2].partition("\n## ")[0]
        assert all(f"| `{name}` |" in section for name in event.model_fields)


def test_every_event_is_told_by_a_context_that_there_is() -> None:
    assert {publisher(event) for event in EVENTS} <= {*names(), EVERY_CONTEXT}


def test_the_asyncapi_document_is_json_and_describes_every_message_on_its_topic(tmp_path: Path) -> None:
    page, path = write(tmp_path, CONTEXTS)
    document = json.loads(path.read_text())
    assert document == asyncapi_document(CONTEXTS)
    assert page.read_text() == events_page(CONTEXTS)
    assert set(document["channels"]) == set(TOPICS)
    for event in EVENTS:
        assert event.type() in document["channels"][event.topic]["messages"]
        assert set(event.model_fields) <= set(document["components"]["messages"][event.type()]["payload"]["properties"])


def test_everything_that_the_asyncapi_document_refers_to_is_in_it() -> None:
    document = asyncapi_document(CONTEXTS)
    found = references(document)
    assert found
    assert all(resolve(document, reference) is not None for reference in found)


def test_everything_that_the_openapi_document_refers_to_is_in_it() -> None:
    document = merged_document(CONTEXTS)
    assert all(resolve(document, reference) is not None for reference in references(document))


def serving(name: str, path: str, answer: type[BaseModel]) -> Any:
    router = APIRouter()
    router.get(path, response_model=answer)(lambda: None)
    return replace(load("auth"), name=name, router=router)


def test_two_services_may_describe_the_same_thing_alike() -> None:
    thing = create_model("Thing", size=(int, ...))
    document = merged_document([serving("one", "/v1/ones", thing), serving("two", "/v1/twos", thing)])
    assert set(document["paths"]) == {"/v1/ones", "/v1/twos"}
    assert "Thing" in document["components"]["schemas"]


def test_two_services_may_not_name_two_things_alike() -> None:
    one, two = create_model("Thing", size=(int, ...)), create_model("Thing", size=(str, ...))
    with pytest.raises(ValueError, match=r"^two describes Thing otherwise than another service does$"):
        merged_document([serving("one", "/v1/ones", one), serving("two", "/v1/twos", two)])


def test_two_services_may_not_serve_the_same_path() -> None:
    thing = create_model("Thing", size=(int, ...))
    with pytest.raises(ValueError, match=r"^two describes /v1/things otherwise"):
        merged_document([serving("one", "/v1/things", thing), serving("two", "/v1/things", thing)])
