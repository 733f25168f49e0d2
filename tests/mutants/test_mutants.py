"""Does the run tell a fault that is caught from all that only looks like it? Tried on a tree of three lines."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.mutants import witness
from tests.mutants.__main__ import CHECKOUT, Ground, main
from tests.mutants.fault import load_faults
from tests.mutants.tree import NotPlanted, copy_sources, plant

RULE = 'def price(quantity: int) -> int:\n    """What it costs."""\n    return quantity * 2\n'
PRICES = """
import libs.rule


def test_two_cost_four():
    assert libs.rule.price(2) == 4


def test_nothing_costs_nothing():
    assert libs.rule.price(0) == 0
"""
STARTING = """
import pytest

import libs.rule


@pytest.fixture
def started():
    assert libs.rule.price(2) == 4


def test_it_starts(started):
    pass
"""
TWO = "tests/test_prices.py::test_two_cost_four"
NOTHING = "tests/test_prices.py::test_nothing_costs_nothing"
STARTS = "tests/test_starting.py::test_it_starts"


@dataclass(frozen=True)
class NoServers:
    """A station for tests that need nothing."""

    environment: Mapping[str, str]

    async def sweep(self) -> None:
        """There is nothing to sweep."""


@asynccontextmanager
async def no_servers(_home: Path) -> AsyncIterator[NoServers]:
    yield NoServers({})


def a_patch(instead: str, *tests: str, line: str = "    return quantity * 2") -> str:
    header = "# fault: The rule is wrong.\n" + "".join(f"# caught by: {test}\n" for test in tests)
    return f"{header}\n--- a/libs/rule.py\n+++ b/libs/rule.py\n@@ -2,2 +2,2 @@\n" + (
        f'     """What it costs."""\n-{line}\n+{instead}\n'
    )


PATCHES = {
    "caught": a_patch("    return quantity * 3", TWO),
    "survives": a_patch("    return quantity * 3", NOTHING),
    "stale": a_patch("    return 4", TWO, line="    return quantity * 5"),
    "no_name": a_patch("    return quantity * two", TWO),
    "no_import": a_patch("    import nowhere\n    return nowhere.price", TWO)
    .replace("+2,2 @@", "+2,3 @@")
    .replace("\n    return nowhere", "\n+    return nowhere"),
    "no_start": a_patch("    return quantity * 3", STARTS),
}


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    """A checkout with one rule and its tests."""
    root = tmp_path / "checkout"
    files = {
        "libs/__init__.py": "", "libs/rule.py": RULE, "tests/__init__.py": "", "tests/test_prices.py": PRICES,
        "tests/test_starting.py": STARTING, "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['.']\n",
        ".venv/hidden.py": "",
    }  # fmt: skip
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (root / "tests/mutants").mkdir()
    shutil.copy(witness.__file__, root / "tests/mutants/witness.py")
    (tmp_path / "faults").mkdir()
    return Ground(root, tmp_path / "faults", no_servers)


@dataclass(frozen=True)
class Said:
    """How a run ended and what it said."""

    status: int
    text: str


def run(ground: Ground, *arguments: str, patches: Mapping[str, str]) -> Said:
    for name, patch in patches.items():
        (ground.faults / f"{name}.patch").write_text(patch)
    output = StringIO()
    return Said(main(arguments, ground, Console(file=output, width=250)), output.getvalue())


def only(*names: str) -> dict[str, str]:
    return {name: PATCHES[name] for name in names}


def test_a_fault_that_a_test_notices_is_caught_by_that_test(ground: Ground) -> None:
    said = run(ground, patches=only("caught"))

    assert said.status == 0, said.text
    assert TWO in said.text
    assert "1 faults: 1 caught, 0 survived, 0 void" in said.text
    assert (ground.root / "libs/rule.py").read_text() == RULE


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("survives", "survived survives: its tests pass"),
        ("stale", "void stale: the patch no longer applies: error: patch failed: libs/rule.py:2"),
        ("no_name", "void no_name: the patched code can't run: libs/rule.py:3:23: F821 Undefined name `two`"),
        ("no_import", f"void no_import: no test could judge: call of {TWO}: ModuleNotFoundError"),
        ("no_start", f"void no_start: no test could judge: setup of {STARTS}: AssertionError"),
    ],
)
def test_what_no_test_found_by_itself_is_a_failure(ground: Ground, name: str, reason: str) -> None:
    said = run(ground, "--jobs", "1", patches=only(name, "caught"))

    assert said.status == 1
    assert reason in said.text
    assert "1 caught" in said.text


def test_a_test_file_that_cannot_be_imported_is_no_catch(ground: Ground) -> None:
    gone = a_patch("    return quantity", TWO).replace("-    return quantity * 2\n+    return quantity\n", "").replace(
        '     """What it costs."""\n', "").replace("@@ -2,2 +2,2 @@\n", "@@ -1,3 +0,0 @@\n"
    ) + "".join(f"-{line}\n" for line in RULE.splitlines())  # fmt: skip

    said = run(ground, patches={"gone": gone.replace("+++ b/libs/rule.py", "+++ /dev/null")})

    assert said.status == 1
    assert "void gone: " in said.text


def test_without_a_fault_all_named_tests_pass_or_the_run_is_void(ground: Ground) -> None:
    (ground.root / "libs/rule.py").write_text(RULE.replace("* 2", "* 4"))

    said = run(ground, patches=only("caught"))

    assert said.status == 1
    assert f"void: without any fault: {TWO} AssertionError" in said.text


def test_a_named_test_that_there_is_not_makes_the_run_void(ground: Ground) -> None:
    said = run(ground, patches={"x": a_patch("    return 7", "tests/test_prices.py::test_gone")})

    assert said.status == 1
    assert "void: without any fault: no test ran: ERROR: not found" in said.text


def test_what_is_tested_is_the_copy(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree whose own settings lead past it is noticed."""
    elsewhere = ground.root.parent / "elsewhere"
    shutil.copytree(ground.root, elsewhere)
    (ground.root / "pyproject.toml").write_text(f"[tool.pytest.ini_options]\npythonpath = ['{elsewhere}']\n")

    said = run(ground, patches=only("caught"))

    assert said.status == 1
    assert "not the copy was tested: " in said.text
    assert str(elsewhere) in said.text


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--only", "nonsense"], "there is no fault nonsense; --list shows the 1 that there are"),
        (["--sample", "0"], "0 is no number from 1 on"),
        (["--jobs", "many"], "many is no number from 1 on"),
        (["--only", "caught", "--sample", "1"], "not allowed with argument --only"),
    ],
)
def test_a_request_that_makes_no_sense_is_told(
    ground: Ground, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    try:
        status = run(ground, *arguments, patches=only("caught")).status
    except SystemExit as ended:
        status = ended.code  # type: ignore[assignment]

    assert status == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("patch", ["", "# fault: x\n--- a/x\n", "# caught by: x\n--- a/x\n"])
def test_a_fault_that_does_not_say_what_it_has_to_is_told(
    ground: Ground, capsys: pytest.CaptureFixture[str], patch: str
) -> None:
    assert run(ground, "--list", patches={"vague": patch}).status == 2
    assert "vague.patch needs one line `# fault: ...`" in capsys.readouterr().err


def test_no_faults_at_all_are_no_success(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ground, patches={}).status == 2
    assert "there are no faults" in capsys.readouterr().err


def test_a_sample_says_its_seed_and_is_the_same_again(ground: Ground) -> None:
    patches = {f"f{number}": PATCHES["caught"] for number in range(20)}
    first = run(ground, "--list", "--sample", "4", "--seed", "7", patches=patches)
    again = run(ground, "--list", "--sample", "4", "--seed", "7", patches=patches)

    assert "4 of 20 faults, seed 7" in first.text
    assert first.text.count("The rule is wrong.") == 4
    assert first == again


def test_the_list_shows_what_would_be_planted_and_plants_nothing(ground: Ground) -> None:
    said = run(ground, "--list", patches=only("caught", "survives"))

    assert said.status == 0
    assert (said.text.count("The rule is wrong."), NOTHING in said.text) == (2, True)


def test_every_fault_of_the_house_can_be_planted(tmp_path: Path) -> None:
    """What the long run would find late: code has changed, and a patch does not fit any more."""
    tree = copy_sources(CHECKOUT.root, tmp_path / "tree")
    stale = {}
    for fault in load_faults(CHECKOUT.faults):
        before = {name: (tree / name).read_bytes() for name in fault.targets()}
        try:
            plant(fault, tree)
        except NotPlanted as problem:
            stale[fault.name] = str(problem)
        for name, content in before.items():
            (tree / name).write_bytes(content)

    assert stale == {}
