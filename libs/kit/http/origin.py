"""Where does a request come from? Its client's address, and what the client says that it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from libs.kit.acts import Origin
from libs.kit.http.client_address import client_address

_LONGEST_DEVICE = 300


async def origin(request: Request) -> Origin:
    """The request's origin; for `Depends`. The device is the client's own word, cut and without control characters."""
    said = "".join(letter for letter in request.headers.get("user-agent", "") if letter.isprintable())
    return Origin(client_address(request), said[:_LONGEST_DEVICE] or None)


RequestOrigin = Annotated[Origin, Depends(origin)]
"""Where the request comes from, in a route."""
