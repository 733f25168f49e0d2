"""How do Kafka's clients come through a proxy? To a listener of their own, which advertises the proxy.

Kafka tells each client where the brokers are, so a proxy before its port alone would be left after the first answer.
The node's own listener goes on to lead around the proxy, for whoever only looks on.
"""

from __future__ import annotations

from dataclasses import dataclass

from fillstream.embedded.home import Home
from fillstream.embedded.ports import LOOPBACK, choose_port


@dataclass(frozen=True, slots=True)
class Listeners:
    """The ports of a node, kept from one start to the next."""

    broker: int
    controller: int
    clients: int
    """Of the listener that advertises the proxy; the proxy forwards to it."""
    proxy: int

    def properties(self) -> dict[str, str]:
        """What the node is told."""
        own = f"BROKER://{LOOPBACK}:{self.broker},CONTROLLER://{LOOPBACK}:{self.controller}"
        return {
            "listeners": f"{own},CLIENTS://{LOOPBACK}:{self.clients}",
            "advertised.listeners": f"{own},CLIENTS://{LOOPBACK}:{self.proxy}",
            "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENTS:PLAINTEXT",
        }


def listeners(home: Home) -> Listeners:
    """The ports of the node in a home, the same as the last time where they are free."""
    names = ("kafka", "kafka-controller", "kafka-clients", "kafka-proxy")
    return Listeners(*(choose_port(home.run / "ports.json", name) for name in names))
