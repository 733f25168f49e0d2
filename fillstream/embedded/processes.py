"""How is a server started, watched, stopped, and cleaned up after a crash of ours?"""

import asyncio
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from fillstream.embedded.accounts import Account
from fillstream.embedded.errors import StackError, said

POLL = 0.02
LOG_LINES = 5


@dataclass(frozen=True)
class Identity:
    """How a process of ours is recognised: its program, and the one argument that no other process has."""

    program: str
    argument: str

    def matches(self, process: psutil.Process) -> bool:
        """Whether the process is this server, and not one that was given its process id later."""
        try:
            command: list[str] = process.cmdline()
        except psutil.Error:
            return False
        return bool(command) and Path(command[0]).name == self.program and self.argument in command


@dataclass(frozen=True)
class Command:
    """What to run: arguments, the whole environment, and the account when it is not ours."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    account: Account | None = None

    def spawn(self, output: Path) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, so that the terminal's Ctrl-C does not reach it before we do."""
        with said(f"{self.arguments[0]} cannot be run"), output.open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                cwd="/",
                start_new_session=True,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
            )


async def run(name: str, command: Command, output: Path) -> None:
    """Run a program to its end. Raises StackError with the last lines of its output when it fails."""
    process = command.spawn(output)
    try:
        await asyncio.to_thread(process.wait)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise StackError(f"{name} failed with status {process.returncode}: {last_lines(output)}")


class ServerProcess:
    """One server as a process of the operating system, with its pid file and its log."""

    def __init__(self, name: str, identity: Identity, pid_file: Path, logs: Sequence[Path]) -> None:
        """Describe the server; the first log takes what it prints."""
        self.name = name
        self._identity = identity
        self._pid_file = pid_file
        self._logs = logs
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self.alive() and self._process else None

    def alive(self) -> bool:
        """Whether the process that we started still runs."""
        return self._process is not None and self._process.poll() is None

    def spawn(self, command: Command) -> None:
        """Start the process and write its pid file."""
        self._process = command.spawn(self._logs[0])
        self._pid_file.write_text(f"{self._process.pid}\n")

    async def ready(self, check: Callable[[], Awaitable[bool]], within: float) -> None:
        """Wait until the server answers. Raises StackError when it dies first or takes longer than `within` seconds."""
        deadline = time.monotonic() + within
        while not await check():
            if not self.alive():
                raise StackError(f"{self.name} died while starting: {last_lines(*self._logs)}")
            if time.monotonic() > deadline:
                raise StackError(f"{self.name} did not answer within {within:.0f} s: {last_lines(*self._logs)}")
            await asyncio.sleep(POLL)

    async def stop(self, how: signal.Signals, patience: float) -> None:
        """Ask it to stop, and kill it when it has not stopped after `patience` seconds."""
        if self._process is None:
            return
        await _end(_tree(self._process.pid), how, patience)
        self._process.wait()
        self._process = None
        self._pid_file.unlink(missing_ok=True)

    async def stop_left_over(self, how: signal.Signals, patience: float) -> bool:
        """Stop what a killed process of ours left running on the same data; tell whether there was any."""
        found = self._left_over()
        for process in found:
            await _end(_tree(process.pid), how, patience)
        self._pid_file.unlink(missing_ok=True)
        return bool(found)

    def _left_over(self) -> list[psutil.Process]:
        recorded = _process_of(self._pid_file)
        if recorded is not None and self._identity.matches(recorded):
            return [recorded]
        # We may have been killed between starting the server and writing its pid file.
        return [process for process in psutil.process_iter() if self._identity.matches(process)]


def last_lines(*logs: Path) -> str:
    """The ends of the logs, on one line."""
    lines: list[str] = []
    for log in logs:
        if log.exists():
            lines += log.read_text(errors="replace").splitlines()[-LOG_LINES:]
    return " | ".join(line.strip() for line in lines if line.strip()) or "it left no log."


def _tree(pid: int) -> list[psutil.Process]:
    """A process and its descendants, itself first; empty when it has ended."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _process_of(pid_file: Path) -> psutil.Process | None:
    try:
        return psutil.Process(int(pid_file.read_text()))
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


async def _end(tree: Sequence[psutil.Process], how: signal.Signals, patience: float) -> None:
    """End the first process with a signal, then whatever of the tree outlives it."""
    _send(tree[:1], how)
    await _ended(tree, patience)
    _send(tree, signal.SIGKILL)
    await _ended(tree, patience)


async def _ended(tree: Sequence[psutil.Process], within: float) -> None:
    deadline = time.monotonic() + within
    # No event tells the end of a process that is not our child.
    while any(map(_runs, tree)) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(POLL)


def _runs(process: psutil.Process) -> bool:
    try:
        # A zombie has ended; whoever adopted it may never collect it.
        return bool(process.is_running()) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(tree: Sequence[psutil.Process], how: signal.Signals) -> None:
    for process in tree:
        try:
            process.send_signal(how)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied as error:
            raise StackError(
                f"Process {process.pid} was left running by another user and cannot be stopped."
            ) from error
