"""What is looked at? Our Python files, parsed once, and snippets as if they stood somewhere."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that breaks a rule."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file. `path` is relative to the checkout, with slashes."""

    path: str
    tree: ast.Module

    @property
    def service(self) -> str | None:
        """The context that the file belongs to, or None."""
        parts = self.path.split("/")
        return parts[1] if parts[0] == "services" and len(parts) > 2 else None

    @property
    def room(self) -> str | None:
        """The room of a service that the file is, or is in: `repository` of `services/x/repository/bars.py`."""
        return self.path.split("/")[2].removesuffix(".py") if self.service else None

    def finding(self, node: ast.AST, what: str) -> Finding:
        """A place in this file."""
        return Finding(self.path, getattr(node, "lineno", 1), what)


def snippet(code: str, path: str = "services/x/commands.py") -> Source:
    """Code as if it stood in a file."""
    return Source(path, ast.parse(code))


@cache
def _parsed(path: Path) -> Source:
    return Source(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text()))


def sources(*folders: str) -> Iterator[Source]:
    """The Python files under the folders."""
    return (_parsed(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


@cache
def committed() -> tuple[Path, ...]:
    """The files that are in the repository, or will be with the next commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return tuple(path for name in sorted(set(listed.split("\0")) - {""}) if (path := ROOT / name).is_file())
