"""What did a run of tests see? A plugin of pytest that writes it down: `-p tests.mutants.witness`, in the tree under test.

Exit codes alone would not do: a test that can't be imported and a server that can't start end with the same one as a
test that found something.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

WRITE_TO = "MUTANTS_TESTIMONY"
"""The variable that names the file."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that went wrong."""

    test: str
    phase: str
    """`collect`, `setup`, `call` or `teardown`."""
    kind: str
    """The exception's class; of a group, those of its parts."""
    text: str


@dataclass(frozen=True, slots=True)
class Testimony:
    """What a whole run saw."""

    __test__ = False

    called: int
    """Tests that began."""
    failures: tuple[Failure, ...]
    strangers: tuple[str, ...]
    """Modules with a name of the tree's that came from elsewhere."""

    @classmethod
    def read(cls, path: Path) -> Testimony | None:
        """What was written down; None when the run did not come to its end."""
        if not path.exists():
            return None
        told = json.loads(path.read_text())
        return cls(told["called"], tuple(Failure(**one) for one in told["failures"]), tuple(told["strangers"]))


class Witness:
    """Sees every test of a run."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._called = 0
        self._failures: list[Failure] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Note how a phase of a test ended."""
        report = yield
        self._called += call.when == "call"
        if call.excinfo is not None and report.failed:
            text = str(call.excinfo.value).strip().partition("\n")[0]
            self._failures.append(Failure(item.nodeid, call.when, _kind(call.excinfo.value), text))
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that can't be imported."""
        if report.failed:
            text = str(report.longrepr).strip().rpartition("\n")[2]
            self._failures.append(Failure(report.nodeid, "collect", "CollectError", text))

    def pytest_sessionfinish(self) -> None:
        """Write it all down."""
        told = Testimony(self._called, tuple(self._failures), tuple(self._strangers()))
        Path(os.environ[WRITE_TO]).write_text(json.dumps(asdict(told)))

    def _strangers(self) -> Iterator[str]:
        ours = {path.name for path in self._tree.iterdir() if path.is_dir()}
        for name, module in sorted(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name.partition(".")[0] in ours and file and not Path(file).is_relative_to(self._tree):
                yield f"{name} from {file}"


def _kind(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(sorted({_kind(part) for part in error.exceptions}))
    return type(error).__name__


def pytest_configure(config: pytest.Config) -> None:
    """Take the stand."""
    config.pluginmanager.register(Witness(Path.cwd()), "mutants-witness")
