"""What do the checks of the checks stand on? One run that is over, and copies of it to spoil."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fillstream.embedded.stack import Endpoints
from fillstream.installation import Installation
from tests.proof.scenario import a_finished_run


@pytest.fixture(scope="session")
async def finished(stack: Endpoints, template: str) -> AsyncIterator[Installation]:
    """The run, its services stopped; nobody changes it."""
    async with a_finished_run(stack, template) as where:
        yield where
