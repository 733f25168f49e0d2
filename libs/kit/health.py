"""Is a part of a process well? Probes that `/readyz` asks and that the process watches."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from libs.kit.errors import FillstreamError


class ProbeFailed(FillstreamError):
    """A part can't do its work now; the text says why to an operator."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One part of a process. `check` raises ProbeFailed; when `task` ends, the process can't go on."""

    name: str
    check: Callable[[], Awaitable[None] | None]
    task: asyncio.Task[None] | None = None

    async def failure(self) -> str | None:
        """Why the part is not well, or None."""
        if self.task is not None and self.task.done():
            return "it has ended"
        try:
            pending = self.check()
            if pending is not None:
                await pending
        except ProbeFailed as failed:
            return str(failed)
        return None
