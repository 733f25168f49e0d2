"""Who logs in during a benchmark? People who were imported with a hash of the service's own parameters."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.load import Request
from bench.stage import Stage
from fillstream.users import make_people
from libs.kit.db import database
from services.auth.hashing import Cost
from services.auth.passwords import Passwords
from services.auth.settings import Settings
from services.auth.user_files import NewPerson, UserLine

PASSWORD = "correct horse battery staple"  # noqa: S105 nobody's
BEHIND_A_PROXY = {"FILLSTREAM_TRUSTED_PROXIES": "127.0.0.1/32"}
"""Settings that let each request say which address it is from."""
LOGINS_NICENESS = 5
"""A third of the others' share of a core, as the container has that the gateway sends logins to."""


async def register(place: Stage, count: int) -> list[str]:
    """The addresses of so many people who may log in."""
    settings = place.where.settings(Settings)
    known = await Passwords(1, 1, Cost.of(settings)).hash(PASSWORD)
    emails = [f"n{number}@example.com" for number in range(count)]
    lines = [
        UserLine(number, NewPerson(email=email, password_hash=known, email_verified=True))
        for number, email in enumerate(emails)
    ]
    async with database(settings, "auth") as db:
        late = await make_people(db, Cost.of(settings), lines, lambda _: None)
    if late:
        raise AssertionError(f"{late[0]} and {len(late) - 1} others were not made")
    return emails


def logins(emails: Sequence[str]) -> list[Request]:
    """One login of each, from an address of their own."""
    return [
        Request(
            "POST",
            "/v1/auth/login",
            {"X-Forwarded-For": f"198.51.{number // 250}.{number % 250 + 1}"},
            json.dumps({"email": email, "password": PASSWORD}),
        )
        for number, email in enumerate(emails)
    ]
