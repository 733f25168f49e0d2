"""Do the pages speak of what is there? Commands, tasks, files, variables and metrics that are gone are found."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from fillstream.contexts import load_all, names
from libs.kit import metrics
from libs.schema.marketdata import InstrumentListed
from tests.structure.documents import Page, broken_links, missing_files, pages, unknown_commands, unknown_tasks
from tests.structure.sources import ROOT
from tests.world import World, eventually

Check = Callable[[Page], set[str]]

_METRICS = {
    f"{metric._name}_total" if metric._type == "counter" else metric._name  # noqa: SLF001 there is no other way to ask
    for metric in vars(metrics).values()
    if isinstance(metric, MetricWrapperBase)
}
# Read where no settings are yet: where the embedded servers are, and where their archives are kept.
_UNSETTLED = {"FILLSTREAM_HOME", "FILLSTREAM_CACHE"}

BAD: dict[Check, list[str]] = {
    unknown_commands: ["`fillstream fly`", "`fillstream events listen`", "```sh\nfillstream up --wings # on\n```"],
    unknown_tasks: ["`make money`", "```sh\nmake tests\n```"],
    missing_files: ["see `libs/kit/magic.py`", "`docs/adr/0000-nothing.md`"],
    broken_links: ["[here](nowhere.md)", "# Relay\n[here](#relays)"],
}
GOOD: dict[Check, list[str]] = {
    unknown_commands: [
        "`fillstream --help`",
        "`fillstream`",
        "```sh\nfillstream dead-letters retry orders ID  # again\n```",
        "`fillstream up --processes`",
        "fillstream flies",
    ],
    unknown_tasks: ["`make test`", "make money"],
    missing_files: ["`libs/kit/db.py`", "`services/<context>/model.py`", "libs/kit/magic.py", "`tests/structure/`"],
    broken_links: ["# The relay\n[here](#the-relay)", "[there](https://example.org)", "[docs](docs/runbook.md)"],
}


@pytest.mark.parametrize(("check", "text"), [(check, text) for check, texts in BAD.items() for text in texts])
def test_a_claim_that_is_wrong_is_found(check: Check, text: str) -> None:
    assert check(Page("CHANGELOG.md", text))


@pytest.mark.parametrize(("check", "text"), [(check, text) for check, texts in GOOD.items() for text in texts])
def test_a_claim_that_is_right_is_left_alone(check: Check, text: str) -> None:
    assert not check(Page("CHANGELOG.md", text))


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_pages_speak_of_what_is_there(page: Page) -> None:
    assert not unknown_commands(page)
    assert not unknown_tasks(page)
    assert not missing_files(page)
    assert not broken_links(page)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_variables_that_pages_name_can_be_set(page: Page) -> None:
    known = {f"FILLSTREAM_{field.upper()}" for context in load_all() for field in context.settings.model_fields}
    assert not page.words(r"\bFILLSTREAM_[A-Z_]+\b") - known - _UNSETTLED


def test_the_runbook_tells_what_every_metric_means_and_of_no_other() -> None:
    runbook = next(page for page in pages() if page.name == "docs/runbook.md")
    assert runbook.words(r"\bfillstream_[a-z_]+\b") == _METRICS


def test_the_runbook_names_every_context() -> None:
    opening = next(page for page in pages() if page.name == "docs/runbook.md").text.partition("## Start")[0]
    assert not [name for name in names() if f"`{name}`" not in opening]


def test_every_decision_says_why_what_follows_and_what_was_refused() -> None:
    decisions = [page for page in pages() if page.name.startswith("docs/adr/")]
    assert decisions
    for number, page in enumerate(decisions, start=1):
        assert page.text.startswith(f"# {number}. "), page.name
        assert re.findall(r"^## (.+)$", page.text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
            "Refused",
        ], page.name


def test_the_changelog_tells_of_this_version() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    assert f"## [{version[1]}] - " in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", names())
async def test_statements_of_the_runbook_run_in_every_context(admin: asyncpg.Connection, name: str) -> None:
    for statement in _statements():
        await admin.execute(statement.replace("orders", name))


async def test_events_that_are_put_back_are_sent_again_as_the_same_events(world: World) -> None:
    put_back = next(statement for statement in _statements() if "INSERT INTO orders.outbox" in statement)
    before = _sent_by_marketdata()

    async def sent(count: int) -> None:
        assert _sent_by_marketdata() - before == count
        assert not await world.fetch("SELECT FROM marketdata.outbox")

    async with world.running("marketdata") as running:
        client = await running.client(UUID("0198a000-0000-7000-8000-00000000000a"))
        await client.post("/v1/instruments", json={"symbol": "AAPL", "name": "Apple", "currency": "USD"})
        [told] = await world.expect(InstrumentListed, 1)
        await eventually(lambda: sent(1))
        await world.fetch(put_back.replace("orders", "marketdata"))
        await eventually(lambda: sent(2))
        assert [told.id] == [row[0] for row in await world.fetch("SELECT event_id FROM marketdata.event_log")]


def _sent_by_marketdata() -> float:
    return REGISTRY.get_sample_value("fillstream_events_published_total", {"context": "marketdata"}) or 0


def _statements() -> list[str]:
    return next(page for page in pages() if page.name == "docs/runbook.md").blocks("sql")
