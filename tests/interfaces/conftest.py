"""Installations with every context at work, shared by the tests of one file; and names of cases that people can read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fillstream.embedded.stack import Endpoints
from services.auth.model import PlatformRole
from tests.fillstream.builders import an_installation
from tests.interfaces.premises import Neighbours, Premises, let_trade, open_premises, workspace_of
from tests.interfaces.rows import ids_of_alone
from tests.issuer import ISSUER


def pytest_make_parametrize_id(val: object) -> str | None:
    """Call a case by its title, in plain characters."""
    title = getattr(val, "title", None)
    return title if isinstance(title, str) else None


@pytest.fixture(scope="module")
async def premises(stack: Endpoints, template: str) -> AsyncIterator[Premises]:
    """Every context; streams end by themselves, so that their answers do."""
    async with an_installation(stack, template) as where:
        brief = where.with_values(
            notifications_stream_seconds=0.2,
            notifications_poll_seconds=0.1,
            auth_privacy_seconds=0.2,
            # What the clock alone makes happen would look like an effect of the call before it.
            auth_audit_head_seconds=86_400,
            public_url=ISSUER,
            # Orders by hand have the time of the clock, so the bars that fill them are yet to come.
            marketdata_bar_skew_seconds=1e9,
        )
        # Everybody comes from one address, and logs in very often.
        many = brief.with_values(database_pool_size=12, rate_limit_scale=1_000)
        async with open_premises(many) as premises:
            yield premises


@pytest.fixture
async def neighbours(premises: Premises, residents: Neighbours) -> Neighbours:
    """Those of the module, in sessions that go on whatever was called before."""
    await premises.revive(residents.ada, residents.bob, residents.eve)
    return residents


@pytest.fixture(scope="module")
async def residents(premises: Premises) -> Neighbours:
    """Ada, who trades, and her neighbours. Whoever writes may give roles: a scope alone says not which."""
    ada, bob, eve = [await premises.register(f"{name}@neighbours.example") for name in ("ada", "bob", "eve")]
    ada, eve = [await premises.raised(person, PlatformRole.SUPER_ADMIN) for person in (ada, eve)]
    await let_trade(premises.in_flight, ada)
    named = {ada.email, ada.session.user_id, "paper of ada", "trend of ada"}
    return Neighbours(ada, bob, eve, frozenset(await ids_of_alone(premises.admin, workspace_of(ada)) | named))
