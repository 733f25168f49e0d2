"""Does the code keep the rules of the house? Every checker is tried on good and bad snippets first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.structure import rules
from tests.structure.rules import Checker
from tests.structure.sources import ROOT, Finding, Source, snippet, sources

_LINES = 400

# (file, function): why it may catch everything.
EDGES = {
    (
        "libs/kit/background/answering.py",
        "_answered",
    ): "whatever is raised elsewhere: whoever asked gets it, and raises it",
    ("libs/kit/consumer.py", "_failure"): "whatever a handler raises: the events are tried one by one, and then buried",
    ("libs/kit/http/observe.py", "__call__"): "the edge of HTTP: what nobody expected is logged and becomes a problem",
    ("libs/kit/recurring.py", "_repeat"): "whatever a task raises: the process has other work, and it is tried again",
    ("libs/kit/steps.py", "_take_one"): "whatever one thing raises: it is put off, and those behind it go on",
    ("libs/kit/retry.py", "_release"): "whatever a handler raises: the dead letter stays, with the new reason",
}

# Where binary fractions are right: nothing there is money.
FRACTIONS = {
    "signals/backtest/metrics.py": "statistics of returns, compared with empyrical's",
    "portfolio/performance.py": "statistics of returns, compared with empyrical's",
    "notifications/streams.py": "seconds of the monotonic clock",
    "billing/expiry.py": "seconds between two looks",
    "notifications/mailer.py": "seconds between two looks",
    "auth/heads.py": "seconds between two looks",
    "auth/forgetting.py": "seconds between two looks",
    "auth/kyc_expiry.py": "seconds between two looks",
    "auth/data_exports.py": "seconds between two looks",
    "auth/erasures.py": "seconds between two looks",
}
_CONFIGURATION = {"settings"}
"""Durations are configured in seconds."""

BAD: list[tuple[Checker, str]] = [
    (rules.commits, "async def f(tx): await tx.session.commit()"),
    (rules.commits, "connection.rollback()"),
    (rules.sql, "from sqlalchemy import select"),
    (rules.sql, "from sqlalchemy.dialects.postgresql import insert as upsert"),
    (rules.sql, "QUERY = 'SELECT a\\nFROM b'"),
    (rules.sql, "def f(schema): return f'INSERT INTO {schema}.t VALUES (1)'"),
    (rules.sql, "async def f(tx): await tx.execute(statement)"),
    (rules.engines, "engine = create_async_engine(url)"),
    (rules.engines, "pool = await_(asyncpg.create_pool(url))"),
    (rules.connections, "async def f(): await asyncpg.connect(url)"),
    (rules.wall_clock, "at = datetime.now(UTC)"),
    (rules.wall_clock, "at = datetime.datetime.utcnow()"),
    (rules.wall_clock, "at: datetime = field(default_factory=datetime.now)"),
    (rules.wall_clock, "import time\nat = time.time()"),
    (rules.wall_clock, "from time import time"),
    (rules.wall_clock, "from libs.kit.db import Tx, utc_now"),
    (rules.floats, "price = float(bar.close)"),
    (rules.floats, "def f(price: float) -> None: ..."),
    (rules.floats, "fee = notional * 0.001"),
    (rules.broad_excepts, "def f():\n try: g()\n except Exception: pass"),
    (rules.broad_excepts, "def f():\n try: g()\n except: return 1"),
    (rules.broad_excepts, "def f():\n try: g()\n except (ValueError, BaseException) as error: log(error)"),
    (rules.broad_excepts, "def f():\n try: g()\n except Exception as error:\n  if known(error):\n   raise\n  wait()"),
    (rules.broad_excepts, "def f():\n with contextlib.suppress(Exception): g()"),
    (rules.undocumented, "x = 1"),
    (rules.undocumented, "'''Said.'''\nclass Order:\n '''Said.'''\n def fill(self): ..."),
    (rules.undocumented, "'''Said.'''\nasync def fill(): ..."),
]

GOOD: list[tuple[Checker, str]] = [
    (rules.commits, "async def f(db):\n async with db.transaction(tenant) as tx: await commands.f(tx)"),
    (rules.sql, "'''Explains SELECT a FROM b.'''\nfrom sqlalchemy import Index, MetaData"),
    (rules.sql, "def f(tx): tx.add(order)"),
    (rules.sql, "slug = 'update the settings, or delete from the list'"),
    (rules.engines, "def f(settings): return database(settings, 'orders')"),
    (rules.connections, "async def f(db): return await db.connect_worker()"),
    (rules.wall_clock, "def f(tx): return tx.now"),
    (rules.wall_clock, "import time\nstarted = time.monotonic()"),
    (rules.wall_clock, "from datetime import datetime, time\nmidnight = datetime.combine(day, time.min, UTC)"),
    (rules.floats, "fee = notional * Decimal('0.001') + 1"),
    (rules.broad_excepts, "def f():\n try: g()\n except ValueError: pass"),
    (rules.broad_excepts, "def f():\n try: g()\n except BaseException:\n  stop()\n  raise"),
    (rules.undocumented, "'''Said.'''\ndef _private(): ...\nclass Order:\n '''Said.'''\n def __len__(self): ..."),
]


def _broken(checker: Checker, places: Iterable[Source]) -> list[str]:
    return [str(finding) for source in places for finding in checker(source)]


def _in_services(applies: Callable[[Source], bool]) -> list[Source]:
    return [source for source in sources("services") if source.service and applies(source)]


@pytest.mark.parametrize(("checker", "code"), BAD)
def test_a_checker_finds_what_it_is_for(checker: Checker, code: str) -> None:
    assert list(checker(snippet(code)))


@pytest.mark.parametrize(("checker", "code"), GOOD)
def test_a_checker_leaves_good_code_alone(checker: Checker, code: str) -> None:
    assert not list(checker(snippet(code)))


@pytest.mark.parametrize("path", ["services/orders/utils.py", "libs/common/money.py", "fillstream/_helpers.py"])
def test_a_name_that_says_nothing_is_found(path: str) -> None:
    assert list(rules.nameless(snippet("", path)))


def test_a_model_may_say_the_condition_of_an_index_but_no_statement() -> None:
    assert not list(rules.sql(snippet("from sqlalchemy import Index, text", "services/x/model.py")))
    assert list(rules.sql(snippet("from sqlalchemy import Index, select", "services/x/model/order.py")))


def test_only_the_kit_ends_transactions() -> None:
    ours = [source for source in sources("libs", "services", "fillstream") if not source.path.startswith("libs/kit/")]
    offsets = "fillstream/embedded/aot.py"  # commits a consumer's offsets
    assert not _broken(rules.commits, (source for source in ours if source.path != offsets))


def test_services_say_sql_in_repositories_and_queries_alone() -> None:
    assert not _broken(rules.sql, _in_services(lambda s: s.room not in {"repository", "queries", "migrations"}))


def test_only_the_kit_builds_engines_and_pools() -> None:
    ours = (source for source in sources("libs", "services", "fillstream") if not source.path.startswith("libs/kit/"))
    assert not _broken(rules.engines, ours)


def test_services_connect_through_the_kit_alone() -> None:
    assert not _broken(rules.connections, _in_services(lambda _: True))


def test_services_get_the_time_from_outside() -> None:
    assert not _broken(rules.wall_clock, _in_services(lambda _: True))


def test_no_binary_fraction_comes_near_money() -> None:
    exact = _in_services(lambda s: s.room not in _CONFIGURATION and s.path.removeprefix("services/") not in FRACTIONS)
    assert not _broken(rules.floats, exact)


def test_nothing_but_known_edges_catches_everything() -> None:
    found = [finding for source in sources("libs", "services", "fillstream") for finding in rules.broad_excepts(source)]
    assert not [str(finding) for finding in found if _edge(finding) not in EDGES]
    assert set(EDGES) == {_edge(finding) for finding in found}, "an edge that is gone is still listed"


def _edge(finding: Finding) -> tuple[str, str]:
    return finding.path, finding.what.split()[0]


def test_public_things_and_modules_say_what_they_are() -> None:
    assert not _broken(rules.undocumented, sources("libs", "fillstream"))


def test_every_module_opens_with_a_docstring() -> None:
    modules = (finding for source in sources("services", "bench", "tests") for finding in rules.undocumented(source))
    assert not [str(finding) for finding in modules if finding.what.startswith("the module")]


def test_no_file_is_called_utils_or_the_like() -> None:
    assert not _broken(rules.nameless, sources("libs", "services", "fillstream", "tests", "bench"))


def test_no_file_is_longer_than_400_lines() -> None:
    lines = {
        source.path: (ROOT / source.path).read_text().count("\n")
        for source in sources("libs", "services", "fillstream")
    }
    assert not {path: count for path, count in lines.items() if count > _LINES}


def test_lists_of_exceptions_name_files_that_exist() -> None:
    assert not [path for path in FRACTIONS if not (ROOT / "services" / path).is_file()]
