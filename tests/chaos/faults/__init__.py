"""Which faults are there? All of them are in this table; what is not here is not injected."""

from __future__ import annotations

from tests.chaos.fault import Faults
from tests.chaos.faults import clock, cluster, links, processes, records, replicas, servers, storage

FAULTS: Faults = (
    *processes.FAULTS,
    *replicas.FAULTS,
    *servers.FAULTS,
    *clock.FAULTS,
    *records.FAULTS,
    *links.FAULTS,
    *storage.FAULTS,
    *cluster.FAULTS,
)
