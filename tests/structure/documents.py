"""What do our pages claim that can be checked? Commands, tasks, variables, files, metrics and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import typer
from typer.core import TyperGroup

from fillstream.cli.main import app
from tests.structure.sources import ROOT

_CODE = re.compile(r"```\w*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_FOLDERS = ("docs", "libs", "services", "fillstream", "deploy", "bench", "tests", "locks")
_PATH = re.compile(rf"(?<![\w/.<-])(?:{'|'.join(_FOLDERS)})/[\w./-]*[\w/]")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of Markdown."""

    name: str
    text: str

    @property
    def code(self) -> Iterator[str]:
        """What stands in backquotes, line by line."""
        for block, span in _CODE.findall(self.text):
            yield from (block or span).splitlines()

    def blocks(self, language: str) -> list[str]:
        """Its fenced blocks of a language."""
        return [body for kind, body in _BLOCK.findall(self.text) if kind == language]

    def words(self, pattern: str) -> set[str]:
        """What matches a pattern anywhere."""
        return set(re.findall(pattern, self.text))


def pages() -> list[Page]:
    """The pages that people write; generated ones are compared with the code elsewhere."""
    names = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/runbook.md"]
    found = [ROOT / name for name in names if (ROOT / name).exists()] + sorted((ROOT / "docs/adr").glob("*.md"))
    return [Page(path.relative_to(ROOT).as_posix(), path.read_text()) for path in found]


def unknown_commands(page: Page) -> set[str]:
    """Commands of `fillstream` that are not there."""
    lines = (line.strip() for line in page.code)
    called = {line.partition("#")[0].strip() for line in lines if line.startswith("fillstream ")}
    return {line for line in called if not _is_command(line.split()[1:])}


def _is_command(words: list[str]) -> bool:
    """Whether words lead to a command, and its options are there."""
    command = typer.main.get_command(app)
    while isinstance(command, TyperGroup):
        if not words or words[0].startswith("-"):
            return words in ([], ["--help"])
        name, *words = words
        command = command.get_command(typer.Context(command), name)
    if command is None:
        return False
    options = {option for parameter in command.params for option in parameter.opts}
    return {word for word in words if word.startswith("--")} <= options | {"--help"}


def unknown_tasks(page: Page) -> set[str]:
    """Tasks of make that are not there."""
    tasks = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {match[1] for line in page.code if (match := re.match(r"make ([a-z]+)", line.strip()))}
    return called - tasks


def missing_files(page: Page) -> set[str]:
    """Files that the page names in backquotes, and that are not there."""
    named = {path for line in page.code for path in _PATH.findall(line)}
    return {path for path in named if not (ROOT / path).exists()}


def broken_links(page: Page) -> set[str]:
    """Links to files or headings of ours that lead nowhere."""
    return {link for link in _LINK.findall(page.text) if "://" not in link and not _leads_somewhere(page, link)}


def _leads_somewhere(page: Page, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (ROOT / page.name).parent / path
    if path and not target.exists():
        return False
    return not heading or heading in _headings(target.read_text() if path else page.text)


def _headings(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
