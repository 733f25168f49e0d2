"""What happens in a demo? Servers, services, people, two years of bars, figures, proofs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import asyncpg
import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fillstream.contexts import load, load_all, names
from fillstream.demo.options import DemoOptions
from fillstream.demo.outcome import Result, read_result
from fillstream.demo.proofs import Evidence, Proof, count_events, prove
from fillstream.demo.report import print_json, print_proofs, print_results, print_ways_on
from fillstream.demo.tenant import DemoFailed, Tenant, open_for_trading, register
from fillstream.demo.topics import delete_topics
from fillstream.demo.workspaces import BARS, WORKSPACES
from fillstream.doctor import require_servers
from fillstream.inflight import InFlight, watch_in_flight
from fillstream.installation import Installation, has_own_servers, installation, prepare
from fillstream.replay import PACKAGED_CURRENCY, list_instruments, load_lines, packaged_data, replay_in_lockstep
from fillstream.serve import stopping_on_signals
from fillstream.up import Up, in_many_processes, in_one_process
from libs.kit.db import database
from libs.kit.settings import Settings
from services.marketdata.csv_bars import Reading
from services.marketdata.model import Bar

_DATABASE = "fillstream_demo"


@dataclass(frozen=True)
class _Stage:
    """What the steps of the demo share."""

    up: Up
    in_flight: InFlight
    client: httpx2.AsyncClient
    bars: Sequence[Bar]
    console: Console


async def run_demo(options: DemoOptions, home: Path, console: Console) -> bool:
    """Run it all; True when every proof holds. Raises DemoFailed, StackError, NoData, CsvError."""
    if options.kill is not None and options.kill not in names():
        raise DemoFailed(f"there is no service {options.kill} to kill; there are {', '.join(names())}")
    started = time.monotonic()
    bars = [line.bar for line in load_lines(options.data or packaged_data(), BARS, Reading())]
    async with _stage(options, home, bars, console) as stage:
        console.print(f"ready after {time.monotonic() - started:.1f} s", style="dim", highlight=False)
        tenants = await _set_up(stage)
        await _replay(stage, options.kill)
        results = {tenant.workspace.name: await read_result(tenant) for tenant in tenants}
        evidence = Evidence(stage.up.installation, load_all(), tenants, bars)
        proofs, events = await prove(evidence), await count_events(evidence)
        _tell(options, stage, results, proofs, events, time.monotonic() - started)
        if options.keep:
            print_ways_on(console, stage.up.url, tenants)
            async with stopping_on_signals(stage.up.stopped):
                await stage.up.until_ended()
        return all(proof.holds for proof in proofs)


@asynccontextmanager
async def _stage(options: DemoOptions, home: Path, bars: Sequence[Bar], console: Console) -> AsyncIterator[_Stage]:
    """A fresh installation with all services at work."""
    runner = in_many_processes if options.processes else in_one_process

    def report(text: str) -> None:
        console.print(text, style="dim", highlight=False)

    async with (
        _fresh_installation(home, report) as where,
        runner(where, home / "logs") as up,
        watch_in_flight(load_all(), where.settings(Settings)) as in_flight,
        httpx2.AsyncClient(base_url=up.url, trust_env=False, timeout=30) as client,
    ):
        yield _Stage(up, in_flight, client, bars, console)


@asynccontextmanager
async def _fresh_installation(home: Path, report: Callable[[str], None]) -> AsyncIterator[Installation]:
    """A database and topics of this run alone, so that nothing of yours is touched, removed at the end."""
    if not has_own_servers():
        from fillstream.embedded.stack import remove_home

        await remove_home(home)
    async with installation(home, report) as servers:
        await require_servers(servers)
        run = f"{int(time.time())}"
        where = servers.sibling_database(f"{_DATABASE}_{run}").with_values(
            kafka_prefix=f"demo-{run}-", http_port=0, log_level="ERROR"
        )
        async with _database_of_its_own(servers, f"{_DATABASE}_{run}"):
            await prepare(where)
            yield where
            await delete_topics(where.settings(Settings))


@asynccontextmanager
async def _database_of_its_own(servers: Installation, name: str) -> AsyncIterator[None]:
    admin = await asyncpg.connect(servers.settings(Settings).database_url.get_secret_value())
    await admin.execute(f"CREATE DATABASE {name}")
    try:
        yield
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


async def _set_up(stage: _Stage) -> list[Tenant]:
    async with database(_marketdata(stage), "marketdata") as db:
        await list_instruments(db, dict.fromkeys((bar.symbol for bar in stage.bars), PACKAGED_CURRENCY))
    people = [await register(stage.client, workspace) for workspace in WORKSPACES]
    # What they may do is known everywhere once their registration has gone round.
    await stage.in_flight.wait_until_none()
    tenants = [await open_for_trading(stage.client, person) for person in people]
    await stage.in_flight.wait_until_none()
    return tenants


def _marketdata(stage: _Stage) -> Settings:
    return stage.up.installation.of(load("marketdata"))


async def _replay(stage: _Stage, victim: str | None) -> None:
    half = stage.bars[len(stage.bars) // 2].close_time
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=stage.console
    ) as progress:
        task = progress.add_task("replaying", total=len(stage.bars))
        killing: asyncio.Task[None] | None = None

        async def step(moment: datetime, count: int) -> None:
            nonlocal killing
            progress.update(task, advance=count, description=f"{moment:%Y-%m-%d}")
            if victim is not None and moment >= half and killing is None:
                # While the next bars are on their way.
                killing = asyncio.create_task(_kill_and_restart(stage, victim))

        async with database(_marketdata(stage), "marketdata") as db:
            await replay_in_lockstep(db, stage.in_flight, stage.bars, step)
        if killing is not None:
            await killing


async def _kill_and_restart(stage: _Stage, victim: str) -> None:
    child = stage.up.children[victim]
    await asyncio.sleep(0.02)
    killed = child.pid
    await child.kill()
    await child.start()
    stage.console.print(f"killed {victim} (process {killed}); process {child.pid} takes over", highlight=False)
    await child.until_ready()


def _tell(
    options: DemoOptions,
    stage: _Stage,
    results: dict[str, Result],
    proofs: Sequence[Proof],
    events: int,
    seconds: float,
) -> None:
    if options.as_json:
        print_json(results, proofs, events, seconds)
        return
    print_results(stage.console, results)
    print_proofs(stage.console, proofs)
    stage.console.print(f"{events} events in {seconds:.1f} s", style="dim", highlight=False)
