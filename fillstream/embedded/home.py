"""Where does the embedded stack keep its things, and who may use them now?"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fillstream.embedded.errors import StackError, said


@dataclass(frozen=True)
class Home:
    """The folder of one embedded stack: its data, its logs and what is running."""

    path: Path

    @property
    def postgres(self) -> Path:
        """Database cluster, or a link to it where PostgreSQL's account cannot reach the home."""
        return self.path / "postgres"

    @property
    def kafka(self) -> Path:
        """Settings and log segments of the Kafka node."""
        return self.path / "kafka"

    @property
    def jars(self) -> Path:
        """Java archives, when the user's cache folder cannot be written."""
        return self.path / "jars"

    @property
    def run(self) -> Path:
        """Process ids, ports and the lock of a running stack."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """What the servers said."""
        return self.path / "logs"

    @property
    def endpoints(self) -> Path:
        """Where the servers are while they run, readable by the owner of the home alone."""
        return self.run / "endpoints.json"

    @property
    def password(self) -> Path:
        """The superuser's password, readable by the owner of the home alone."""
        return self.path / "postgres-password"

    @property
    def postgres_log(self) -> Path:
        """What PostgreSQL and its tools print."""
        return self.logs / "postgres.log"

    @property
    def kafka_properties(self) -> Path:
        """Kafka's settings, written at every start."""
        return self.kafka / "server.properties"

    @property
    def kafka_log(self) -> Path:
        """What Kafka logs."""
        return self.logs / "kafka.log"

    @property
    def kafka_console(self) -> Path:
        """What Kafka's Java machine and its tools print."""
        return self.logs / "kafka-console.log"

    def cache(self) -> Path:
        """The folder of jars and start-up caches that all homes of this user share, made if it is missing."""
        configured = os.environ.get("FILLSTREAM_CACHE")
        if configured:
            return writable(Path(configured).expanduser().resolve())
        shared = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser().resolve() / "fillstream"
        try:
            return writable(shared)
        except StackError:
            return writable(self.jars)


def writable(path: Path) -> Path:
    """The folder, made if it is missing. Raises StackError when nothing can be written there."""
    with said(f"The folder {path} cannot be made"):
        path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.W_OK | os.X_OK):
        raise StackError(f"The folder {path} cannot be written.")
    return path


def open_home(path: Path) -> Home:
    """The home at a path, with its folders. Raises StackError when it cannot be written."""
    home = Home(path.expanduser().resolve())
    writable(home.path)
    for folder in (home.kafka, home.run, home.logs):
        writable(folder)
        with said(f"The folder {folder} cannot be kept private"):
            folder.chmod(0o700)
    return home


@contextmanager
def only_user(home: Home) -> Iterator[None]:
    """Hold the home for this process; the lock dies with it. Raises StackError that names a living holder."""
    with said(f"The home {home.path} cannot be locked"):
        descriptor = os.open(home.run / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            raise StackError(f"Process {holder} is already running the stack of {home.path}; stop it first.") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_used(home: Home) -> bool:
    """Whether a living process runs the stack of this home."""
    try:
        with only_user(home):
            return False
    except StackError:
        return True
