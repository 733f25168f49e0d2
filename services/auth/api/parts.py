"""What do routes work with? The parts that `app.py` has put into the app, for `Depends`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from services.auth.device_codes import Authorizing
from services.auth.passwords import Passwords
from services.auth.tokens import Issuing


async def _passwords(request: Request) -> Passwords:
    passwords: Passwords = request.app.state.passwords
    return passwords


async def _issuing(request: Request) -> Issuing:
    issuing: Issuing = request.app.state.issuing
    return issuing


async def _authorizing(request: Request) -> Authorizing:
    authorizing: Authorizing = request.app.state.authorizing
    return authorizing


HowPasswords = Annotated[Passwords, Depends(_passwords)]
HowIssued = Annotated[Issuing, Depends(_issuing)]
HowAuthorized = Annotated[Authorizing, Depends(_authorizing)]
