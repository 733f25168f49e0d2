"""Does the run tell a fault that is caught from all that only looks like it? Tried on a tree of three lines."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
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
from tests.mutants.tree import NotPlanted, check_fit, plant

RULE = 'def price(quantity: int) -> int:\n    """What it costs."""\n    return quantity * 2\n'
SETTINGS = "[tool.pytest.ini_options]\naddopts = '--import-mode=importlib'\npythonpath = ['{}']\n"
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


def a_patch(*body: str, tests: tuple[str, ...] = (TWO,), old: str = "    return quantity * 2") -> str:
    """Put a body in the place of the rule's."""
    header = ["# fault: The rule is wrong.", *(f"# caught by: {test}" for test in tests), ""]
    place = ["--- a/libs/rule.py", "+++ b/libs/rule.py", f"@@ -2,2 +2,{len(body) + 1} @@", '     """What it costs."""']
    return "\n".join([*header, *place, f"-{old}", *(f"+{line}" for line in body), ""])


PATCHES = {
    "caught": a_patch("    return quantity * 3"),
    "survives": a_patch("    return quantity * 3", tests=(NOTHING,)),
    "stale": a_patch("    return 4", old="    return quantity * 5"),
    "no_name": a_patch("    return quantity * two"),
    "no_import": a_patch("    import nowhere", "    return nowhere.price"),
    "no_file": a_patch("", "", "import nowhere", tests=(TWO,)),
    "no_start": a_patch("    return quantity * 3", tests=(STARTS,)),
}


def a_ground(folder: Path) -> Ground:
    """A checkout with one rule and its tests."""
    root = folder / "checkout"
    files = {
        "libs/__init__.py": "", "libs/rule.py": RULE, "tests/__init__.py": "", "tests/test_prices.py": PRICES,
        "tests/test_starting.py": STARTING, "pyproject.toml": SETTINGS.format("."),
        ".venv/hidden.py": "",
    }  # fmt: skip
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (root / "tests/mutants").mkdir()
    shutil.copy(witness.__file__, root / "tests/mutants/witness.py")
    (folder / "faults").mkdir()
    return Ground(root, folder / "faults", no_servers)


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return a_ground(tmp_path)


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


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ground, Said]:
    """A run of one fault of every kind."""
    ground = a_ground(tmp_path_factory.mktemp("all"))
    return ground, run(ground, "--jobs", "1", patches=PATCHES)


def test_a_fault_that_a_test_notices_is_caught_by_that_test(all_kinds: tuple[Ground, Said]) -> None:
    _, said = all_kinds

    [row] = [line for line in said.text.splitlines() if line.startswith("│ caught")]
    assert TWO in row


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("survives", "survived survives: its tests pass"),
        ("stale", "void stale: the patch no longer applies: error: patch failed: libs/rule.py:2"),
        ("no_name", "void no_name: the patched code can't run: libs/rule.py:3:23: F821 Undefined name `two`"),
        ("no_import", f"void no_import: no test could judge: call of {TWO}: ModuleNotFoundError"),
        ("no_file", "void no_file: no test could judge: collect of tests/test_prices.py: CollectError"),
        ("no_start", f"void no_start: no test could judge: setup of {STARTS}: AssertionError"),
    ],
)
def test_what_no_test_found_by_itself_is_no_catch(all_kinds: tuple[Ground, Said], name: str, reason: str) -> None:
    _, said = all_kinds

    assert reason in said.text


def test_one_fault_that_is_not_caught_fails_the_run(all_kinds: tuple[Ground, Said]) -> None:
    _, said = all_kinds

    assert "7 faults: 1 caught, 1 survived, 5 void" in said.text
    assert said.status == 1


def test_faults_are_planted_in_copies_alone(all_kinds: tuple[Ground, Said]) -> None:
    ground, _ = all_kinds

    assert (ground.root / "libs/rule.py").read_text() == RULE


def test_when_every_fault_is_caught_the_run_succeeds(ground: Ground) -> None:
    said = run(ground, patches=only("caught"))

    assert said.status == 0, said.text


def test_a_fault_of_the_same_size_and_second_as_the_code_is_not_hidden_by_bytecode(ground: Ground) -> None:
    rule = ground.root / "libs/rule.py"
    py_compile.compile(str(rule), doraise=True)
    (ground.faults / "caught.patch").write_text(PATCHES["caught"])
    [fault] = load_faults(ground.faults)
    before = rule.stat()

    plant(fault, ground.root)

    os.utime(rule, ns=(before.st_atime_ns, before.st_mtime_ns))
    shown = [sys.executable, "-c", "import libs.rule; print(libs.rule.price(2))"]
    assert subprocess.run(shown, cwd=ground.root, capture_output=True, check=True).stdout == b"6\n"


def test_without_a_fault_all_named_tests_pass_or_the_run_is_void(ground: Ground) -> None:
    (ground.root / "libs/rule.py").write_text(RULE.replace("* 2", "* 4"))

    said = run(ground, patches=only("caught"))

    assert said.status == 1
    assert f"void: without any fault: {TWO} AssertionError" in said.text


def test_a_named_test_that_there_is_not_makes_the_run_void(ground: Ground) -> None:
    said = run(ground, patches={"x": a_patch("    return 7", tests=("tests/test_prices.py::test_gone",))})

    assert said.status == 1
    assert "void: without any fault: no test ran: " in said.text


def test_what_is_tested_is_the_copy(ground: Ground) -> None:
    """A tree whose own settings lead past it is noticed."""
    elsewhere = ground.root.parent / "elsewhere"
    shutil.copytree(ground.root / "libs", elsewhere / "libs")
    (ground.root / "pyproject.toml").write_text(SETTINGS.format(elsewhere))

    said = run(ground, patches=only("caught"))

    assert said.status == 1
    assert f"not the copy was tested: libs from {elsewhere}" in said.text


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


def test_every_fault_of_the_house_can_be_planted() -> None:
    """What the long run would find late: code has changed, and a patch does not fit any more."""
    stale = {}
    for fault in load_faults(CHECKOUT.faults):
        try:
            check_fit(fault, CHECKOUT.root)
        except NotPlanted as problem:
            stale[fault.name] = str(problem)

    assert stale == {}
