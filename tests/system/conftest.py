"""Installations on the tests' own servers, for processes to run on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fillstream.embedded.stack import Endpoints
from fillstream.installation import Installation
from tests.fillstream.builders import an_installation


@pytest.fixture
async def where(stack: Endpoints, template: str) -> AsyncIterator[Installation]:
    """An installation of this test alone."""
    async with an_installation(stack, template) as made:
        yield made
