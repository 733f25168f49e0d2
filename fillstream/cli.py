"""What can a person do from the command line? One function a command; what it does is told elsewhere."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fillstream import catalogue as catalogue_
from fillstream import events as events_
from fillstream.contexts import load, load_all, names
from fillstream.demo.options import DemoOptions
from fillstream.doctor import examine, require_ready
from fillstream.inflight import watch_in_flight
from fillstream.installation import Installation, home, installation, prepare
from fillstream.openapi import merged_document
from fillstream.replay import Selection, list_instruments, load_bars, packaged_data, replay_freely, replay_in_lockstep
from fillstream.serve import serving, stopping_on_signals
from fillstream.up import in_many_processes, in_one_process
from libs.kit.db import database
from libs.kit.dead_letters import open_letters
from libs.kit.errors import FillstreamError
from libs.kit.logging import configure_logging
from libs.kit.settings import Settings
from libs.schema.values import Timeframe

T = TypeVar("T")
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
events = typer.Typer(no_args_is_help=True, help="Look at events.")
dead_letters = typer.Typer(no_args_is_help=True, help="Work on events that could not be handled.")
app.add_typer(events, name="events")
app.add_typer(dead_letters, name="dead-letters")
console = Console(stderr=True)

DataOption = Annotated[Path | None, typer.Option("--data", help="a folder of OHLCV CSV files of your own")]


def main() -> None:
    """Run the command; an error of ours is one sentence and exit code 1."""
    try:
        app()
    except FillstreamError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def fail(sentence: str) -> NoReturn:
    """Say what is wrong and end with 1."""
    console.print(f"fillstream: {sentence}", style="red", highlight=False)
    sys.exit(1)


def report(text: str) -> None:
    """Say what is going on."""
    console.print(text, style="dim", highlight=False)


def run(work: Coroutine[object, object, T]) -> T:
    """Run on the fast event loop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


@app.command()
def demo(
    keep: Annotated[bool, typer.Option(help="leave everything running at the end")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document")] = False,
    processes: Annotated[bool, typer.Option(help="a process for each service")] = False,
    kill: Annotated[str | None, typer.Option(metavar="CONTEXT", help="SIGKILL this service half-way")] = None,
    data: DataOption = None,
) -> None:
    """Replay two years of real bars through every service, and prove the result."""
    from fillstream.demo.run import run_demo

    options = DemoOptions(keep=keep, as_json=as_json, processes=processes or kill is not None, kill=kill, data=data)
    configure_logging("ERROR")
    if not run(run_demo(options, home() / "demo", console)):
        sys.exit(1)


@app.command()
def up(processes: Annotated[bool, typer.Option(help="a process for each service")] = False) -> None:
    """Run everything on this machine until Ctrl-C: servers (unless you have your own) and all services."""
    configure_logging(_log_level())
    run(_up(in_many_processes if processes else in_one_process))


async def _up(runner: Callable[..., Any]) -> None:
    async with installation(home(), report) as where:
        await prepare(where)
        async with runner(where, home() / "logs") as running, stopping_on_signals(running.stopped):
            report(f"ready: {running.url}/docs")
            await running.until_ended()
            report("stopping")


@app.command()
def serve(contexts: Annotated[list[str], typer.Argument(help="services to run in this process")]) -> None:
    """Run services in this process, on servers that the environment names."""
    configure_logging(_log_level())
    run(_serve(contexts))


async def _serve(wanted: list[str]) -> None:
    try:
        contexts = [load(name) for name in wanted]
    except LookupError as error:
        fail(str(error.args[0]))
    where = Installation()
    await require_ready(contexts, where)
    async with serving(contexts, where) as running, stopping_on_signals(running.stopped):
        await running.until_ended()


@app.command()
def migrate() -> None:
    """Bring schemas, roles, partitions and topics to this release."""
    configure_logging(_log_level())
    run(_on_servers(prepare))


@app.command()
def replay(
    data: DataOption = None,
    symbol: Annotated[list[str] | None, typer.Option(help="an instrument; may be repeated")] = None,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])] = datetime(2011, 3, 1),  # noqa: DTZ001 a date
    end: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])] = datetime(2013, 3, 1),  # noqa: DTZ001 a date
    timeframe: Timeframe = Timeframe.D1,
    rate: Annotated[float | None, typer.Option(min=0.1, help="bars a second, instead of lockstep")] = None,
    unlimited: Annotated[bool, typer.Option(help="as fast as possible, instead of lockstep")] = False,
) -> None:
    """Play bars from CSV files into market data: in lockstep, at a rate, or freely."""
    configure_logging("WARNING")
    wanted = Selection(tuple(symbol or ()), start.date(), end.date())
    bars = load_bars(data or packaged_data(), wanted, timeframe)
    run(_on_servers(lambda where: _replay(where, bars, rate, freely=unlimited or rate is not None)))


async def _replay(where: Installation, bars: list[Any], rate: float | None, *, freely: bool) -> None:
    settings = where.of(load("marketdata"))
    with progress_bar() as progress:
        task = progress.add_task("bars", total=len(bars))

        async def step(moment: datetime, count: int) -> None:
            progress.update(task, advance=count, description=f"{moment:%Y-%m-%d}")

        async with database(settings, "marketdata") as db:
            await list_instruments(db, {bar.symbol for bar in bars})
            if freely:
                await replay_freely(db, bars, rate, step)
                return
            async with watch_in_flight(load_all(), settings) as in_flight:
                await replay_in_lockstep(db, in_flight, bars, step)


@events.command("tail")
def events_tail() -> None:
    """Print each event as it arrives, until Ctrl-C."""

    async def follow(where: Installation) -> None:
        async for line in events_.tail(where.settings(Settings)):
            typer.echo(line)

    run(_on_servers(follow))


@events.command("show")
def events_show(event_id: UUID) -> None:
    """Print an event and everything that followed from it."""

    async def show(where: Installation) -> None:
        url = where.settings(Settings).database_url.get_secret_value()
        first, *followed = await events_.chain(url, load_all(), event_id)
        typer.echo("\n".join([events_.pretty(first), *(event.line() for event in followed)]))

    run(_on_servers(show))


@dead_letters.command("list")
def dead_letters_list(context: Annotated[str | None, typer.Argument()] = None) -> None:
    """Print dead and parked events that nobody has resolved."""

    async def show(where: Installation) -> None:
        for one in [load(name) for name in ([context] if context else names())]:
            async with database(where.of(one), one.name) as db:
                for letter in await open_letters(db):
                    place = f"{letter.topic}[{letter.partition}]@{letter.offset}"
                    typer.echo(f"{one.name:14} {letter.id}  {letter.state:7} {place}  {letter.error}")

    run(_on_servers(show))


@app.command()
def maintain() -> None:
    """Create the coming partitions, drop the expired ones, and forget old idempotency keys."""
    from libs.kit.maintenance import maintain as maintain_

    async def work(where: Installation) -> None:
        settings = where.settings(Settings)
        url = settings.database_url.get_secret_value()
        for line in await maintain_(url, names(), settings.event_retention_days):
            typer.echo(line)

    run(_on_servers(work))


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of all services."""
    typer.echo(json.dumps(merged_document(load_all()), indent=2))


@app.command()
def catalogue(folder: Annotated[Path, typer.Argument()] = Path("docs")) -> None:
    """Write the event catalogue and the AsyncAPI document into a folder."""
    for path in catalogue_.write(folder, load_all()):
        typer.echo(path)


@app.command()
def doctor() -> None:
    """Check settings, database, roles, broker, topics and clocks, and say what to do."""
    configure_logging("ERROR")

    async def check(where: Installation) -> bool:
        well = True
        async for finding in examine(load_all(), where):
            mark = "[green]ok[/]  " if finding.advice is None else "[red]fix[/] "
            console.print(f"{mark}{finding.check}{'' if finding.advice is None else ': ' + finding.advice}")
            well = well and finding.advice is None
        return well

    if not run(_on_servers(check)):
        sys.exit(1)


async def _on_servers(work: Callable[[Installation], Coroutine[object, object, T]]) -> T:
    """Do something with the servers that the environment names, or with the embedded ones."""
    async with installation(home(), report) as where:
        return await work(where)


def _log_level() -> str:
    return str(Settings.model_fields["log_level"].default)


def progress_bar() -> Progress:
    """A progress bar on standard error."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
