"""The compose file as Docker would read it: variables filled in, from the env file beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
ENV_FILE = ROOT / "deploy/compose.env"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+):\?[^}]*\}")


@cache
def env_file() -> dict[str, str]:
    """The development defaults."""
    lines = [line for line in ENV_FILE.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def compose(variables: dict[str, str] | None = None) -> dict[str, Any]:
    """The compose file with its variables filled in. Raises KeyError for one that has no value."""
    values = env_file() if variables is None else variables
    filled = _VARIABLE.sub(lambda match: values[match["name"]], COMPOSE_FILE.read_text())
    document: dict[str, Any] = yaml.safe_load(filled)
    return document


@dataclass(frozen=True)
class Container:
    """One service of the compose file."""

    name: str
    spec: dict[str, Any]

    @property
    def command(self) -> list[str]:
        """What it runs."""
        command: list[str] = self.spec.get("command", [])
        return command

    @property
    def environment(self) -> dict[str, str]:
        """Its variables."""
        environment: dict[str, str] = self.spec.get("environment", {})
        return environment

    @property
    def healthcheck(self) -> list[str]:
        """The command that tells whether it is well, without the word CMD."""
        kind, *command = self.spec["healthcheck"]["test"]
        assert kind == "CMD"
        return command


def containers() -> dict[str, Container]:
    """All services of the compose file, by name."""
    return {name: Container(name, spec) for name, spec in compose()["services"].items()}
