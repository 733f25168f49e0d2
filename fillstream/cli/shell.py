"""What do all commands share? The console, how errors are told, and the servers to work on."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fillstream.contexts import Context, load
from fillstream.doctor import require_servers
from fillstream.installation import Installation, home, installation

T = TypeVar("T")
console = Console(stderr=True)

DataOption = Annotated[Path | None, typer.Option("--data", help="a folder of OHLCV CSV files of your own")]


def fail(sentence: str) -> NoReturn:
    """Say what is wrong and end with 1."""
    console.print(f"fillstream: {sentence}", style="red", highlight=False, markup=False, soft_wrap=True)
    sys.exit(1)


def report(text: str) -> None:
    """Say what is going on."""
    console.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)


def run(work: Coroutine[object, object, T]) -> T:
    """Run on the fast event loop where there is one, with a collector that seldom looks for garbage."""
    collect_seldom()
    try:
        import uvloop
    except ImportError:
        return asyncio.run(_ending_on_sigterm(work))
    return uvloop.run(_ending_on_sigterm(work))


def collect_seldom() -> None:
    """Let Python look for cycles once in 50,000 new objects instead of 700, and never among those that are there now.

    A batch is very many objects that end without its help, and each search looks through all of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _ending_on_sigterm(work: Coroutine[object, object, T]) -> T:
    """Let SIGTERM cancel the work, as Ctrl-C does, so that whatever was begun is also ended."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def run_on_servers(work: Callable[[Installation], Coroutine[object, object, T]]) -> T:
    """Do something with the servers that the environment names, or with the embedded ones, which have to answer."""

    async def there() -> T:
        async with installation(home(), report) as where:
            await require_servers(where)
            return await work(where)

    return run(there())


def context_named(name: str) -> Context:
    """The context of that name; ends the command when there is none."""
    try:
        return load(name)
    except LookupError as error:
        fail(str(error.args[0]))


def log_level() -> str:
    """How much services say."""
    return os.environ.get("FILLSTREAM_LOG_LEVEL", "INFO")


def progress_bar() -> Progress:
    """A progress bar on standard error."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
