"""How is Fillstream run from the command line?"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack
from typing import Annotated

import typer

from fillstream.cli.shell import DataOption, console, context_named, log_level, report, run
from fillstream.contexts import Context
from fillstream.demo.options import DemoOptions
from fillstream.doctor import require_ready, require_servers
from fillstream.installation import Installation, home, installation, prepare
from fillstream.serve import Stopper, serving, stopping_on_end_of_input, stopping_on_signals
from fillstream.up import Runner, in_many_processes, in_one_process
from libs.kit.logging import configure_logging


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave everything running at the end")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
    processes: Annotated[bool, typer.Option("--processes", help="a process for each service")] = False,
    kill: Annotated[str | None, typer.Option(metavar="CONTEXT", help="SIGKILL this service half-way")] = None,
    data: DataOption = None,
) -> None:
    """Replay two years of real bars through every service, and prove the result."""
    from fillstream.demo.run import run_demo

    options = DemoOptions(keep=keep, as_json=as_json, processes=processes or kill is not None, kill=kill, data=data)
    configure_logging("ERROR")
    if not run(run_demo(options, home() / "demo", console)):
        sys.exit(1)


def up(
    processes: Annotated[bool, typer.Option("--processes", help="a process for each service")] = False,
) -> None:
    """Run everything on this machine until Ctrl-C: servers (unless you have your own) and all services."""
    configure_logging(log_level())
    run(_up(in_many_processes if processes else in_one_process))


async def _up(runner: Runner) -> None:
    async with installation(home(), report) as where:
        await require_servers(where)
        await prepare(where)
        async with runner(where, home() / "logs") as running, stopping_on_signals(running.stopped):
            report(f"ready: {running.url}/docs")
            await running.until_ended()
            report("stopping")


def serve(
    contexts: Annotated[list[str], typer.Argument(help="services to run in this process")],
    until_input_ends: Annotated[bool, typer.Option("--until-input-ends", hidden=True)] = False,
) -> None:
    """Run services in this process, on servers that the environment names."""
    configure_logging(log_level())
    run(_serve([context_named(name) for name in contexts], stopping_on_end_of_input if until_input_ends else None))


async def _serve(contexts: list[Context], also_until: Stopper | None) -> None:
    where = Installation()
    await require_ready(contexts, where)
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(serving(contexts, where))
        await stack.enter_async_context(stopping_on_signals(running.stopped))
        if also_until is not None:
            await stack.enter_async_context(also_until(running.stopped))
        await running.until_ended()
