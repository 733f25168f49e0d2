"""How does a fault get into the code? Into a copy of the tree, never into the tree itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path

from tests.mutants.fault import Fault

# Whatever is hidden belongs to this machine: repository, environment, servers' data, caches.
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__")


class NotPlanted(Exception):
    """The fault is not in the copy; the text is one line that says why."""


def copy_sources(root: Path, into: Path) -> Path:
    """Copy a checkout without what is hidden and without bytecode."""
    return shutil.copytree(root, into, ignore=_LEFT_OUT)


def copy_tree(tree: Path, into: Path) -> Path:
    """Copy a copy as it is: with its bytecode, which the files' kept times leave valid."""
    return shutil.copytree(tree, into)


def plant(fault: Fault, tree: Path) -> None:
    """Patch a copy. Raises NotPlanted when the patch does not fit any more, or leaves code that can't run."""
    _git_apply(fault, tree)
    code = [name for name in fault.targets() if name.endswith(".py")]
    _check_code(code, tree)
    for name in code:
        # Of a patched file of the same size and second it would seem to be the bytecode.
        Path(cache_from_source(tree / name)).unlink(missing_ok=True)


def check_fit(fault: Fault, tree: Path) -> None:
    """See whether the patch fits, and change nothing. Raises NotPlanted."""
    _git_apply(fault, tree, "--check")


def _git_apply(fault: Fault, tree: Path, *options: str) -> None:
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", *options, fault.patch],  # noqa: S607
        cwd=tree,
        # A copy may lie below a repository of somebody else's, whose paths these are not.
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotPlanted(f"the patch no longer applies: {_first_line(done.stderr)}")


def _check_code(names: list[str], tree: Path) -> None:
    """A name that there is not would fail every test, whatever the test is about."""
    if not names:
        return
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--select", "E9,F821", "--output-format",
               "concise", *names]  # fmt: skip
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotPlanted(f"the patched code can't run: {_first_line(done.stdout + done.stderr)}")


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "no reason was given")
