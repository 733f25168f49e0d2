"""Which process is killed? Services at work as `fillstream serve` runs them, forked from one that has imported all."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

from fillstream.contexts import load, load_all
from fillstream.installation import Installation
from fillstream.serve import serving
from libs.kit.logging import configure_logging
from tests.crashpoints.boundaries import count_crossings
from tests.crashpoints.crossings import Counting, Point, Prompter

# In the process that is forked, once and for all lives.
load_all()


@dataclass(frozen=True)
class Trap:
    """Where a process counts its crossings, and at which it is to die."""

    journal: Path
    prompter: Prompter
    deadly: frozenset[Point]


@dataclass(frozen=True)
class Life:
    """What a process is to run, and whether it is counted."""

    services: Sequence[str]
    values: Mapping[str, Any]
    """Of the installation."""
    log: Path
    trap: Trap | None = None


def zygote() -> ForkServerContext:
    """Starts processes by forking one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def begin(context: ForkServerContext, life: Life) -> ForkServerProcess:
    """Start a process; it ends with us at the latest."""
    process = context.Process(target=live, args=(life,), daemon=True)
    process.start()
    return process


def live(life: Life) -> None:
    """Run services in this process until whoever started it is gone."""
    output = os.open(life.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    configure_logging("WARNING")
    with ExitStack() as stack:
        if life.trap is not None:
            _set(life.trap, life.values["kafka_prefix"], stack)
        asyncio.run(_serve(life))


def _set(trap: Trap, kafka_prefix: str, stack: ExitStack) -> None:
    journal = os.open(trap.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    act = stack.enter_context(trap.prompter.listening())
    count_crossings(Counting(journal, act, trap.deadly), kafka_prefix)


async def _serve(life: Life) -> None:
    async with serving([load(name) for name in life.services], Installation(life.values)) as running:
        parent = multiprocessing.parent_process()
        if parent is not None:
            asyncio.get_running_loop().add_reader(parent.sentinel, running.stopped.set)
        await running.until_ended()
