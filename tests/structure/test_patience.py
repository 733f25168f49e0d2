"""Is a test patient? One that gives up before half a minute is over fails on a machine that has other things to do."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.structure.patience import impatience
from tests.structure.sources import snippet, sources

# (file, function): why so short a wait fails no test on a busy machine.
SHORT = {
    ("tests/chaos/client.py", "_attempt"): "one attempt of many: a client comes again until its own patience is over",
    ("tests/chaos/site.py", "is_ready"): "asked again and again for a minute and a half",
    ("tests/chaos/faults/links.py", "_cut"): "how long a trap is set; how often it sprang is told, not judged",
    ("tests/kit/crypto/test_rotation.py", "test_the_old_key_stays_as_long_as_a_locked_row_is_sealed_with_it"): (
        "a moment in which nothing may happen: a longer one would show no less"
    ),
}

BAD = [
    "async def f(): await asyncio.wait_for(process.wait(), 10)",
    "async def f(): await asyncio.wait_for(process.wait(), timeout=10)",
    "async def f():\n async with asyncio.timeout(5): await g()",
    "async def f(): await eventually(told, patience=5)",
    "async def f(): await asyncio.wait({task}, timeout=0.3)",
    "def f(): process.wait(20)",
    "async def f(): await asyncio.to_thread(process.wait, 20)",
    "_SECONDS = 29.9\ndef f(): subprocess.run(command, timeout=_SECONDS)",
    "_MINUTES = 0.25\ndef f(): subprocess.run(command, timeout=_MINUTES * 60)",
    "async def hear(within: float = 10): ...",
    "async def hear(*, patience: float = 10): ...",
    "_PATIENCE_SECONDS = 15.0",
    "_PATIENCE: Final = 15.0",
    "def f():\n until = time.monotonic() + 10",
    "def f():\n assert time.monotonic() - began < 5",
    "def f():\n assert time.perf_counter() - began <= 5",
    "_SECONDS = 20\ndef f():\n assert done.seconds < _SECONDS",
    "def f():\n assert took <= 5",
    "async def f():\n async with httpx2.AsyncClient(base_url=url, trust_env=False) as client: ...",
    "@settings(deadline=500)\ndef test_it(): ...",
    "@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])\ndef test_it(): ...",
]

GOOD = [
    "async def f(): await asyncio.wait_for(process.wait(), 30)",
    "async def f(): await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)",
    "async def f(): await eventually(told)",
    "async def f(): await in_flight.wait_until_none(timeout_seconds=0)",
    "async def f(): await go.wait()",
    "def f(): bucket.wait(time)",
    "def f(): ','.join(names)",
    "_PATIENCE_SECONDS = 60.0",
    "def f():\n until = time.monotonic() + 60",
    "def f():\n began = time.monotonic()",
    "def f():\n assert time.monotonic() - began >= 0.2",
    "def f():\n assert took >= 0.2",
    "def f():\n assert done.seconds < PATIENCE_SECONDS",
    "async def f():\n async with AsyncClient(transport=transport, base_url=url) as client: ...",
    "async def f():\n async with AsyncClient(base_url=url, timeout=30) as client: ...",
    "@settings(max_examples=60)\ndef test_it(): ...",
    "@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])\ndef test_it(): ...",
]


@pytest.mark.parametrize("code", BAD)
def test_impatience_is_found(code: str) -> None:
    assert list(impatience(snippet(code)))


@pytest.mark.parametrize("code", GOOD)
def test_patience_is_left_alone(code: str) -> None:
    assert not list(impatience(snippet(code)))


def test_no_test_gives_up_within_half_a_minute() -> None:
    found = [finding for source in sources("tests") for finding in impatience(source)]
    assert not [str(finding) for finding in found if (finding.path, finding.what.split()[0]) not in SHORT]
    assert set(SHORT) == {(finding.path, finding.what.split()[0]) for finding in found}, "one that is gone is listed"


def test_no_example_of_a_property_has_to_be_quick() -> None:
    assert settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check
