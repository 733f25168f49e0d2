"""Where does a request come from? Its peer's address, and what its client says that it is."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from libs.kit.acts import Origin

_LONGEST_DEVICE = 300


async def origin(request: Request) -> Origin:
    """The request's origin; for `Depends`. The device is the client's own word, cut and without control characters."""
    said = "".join(letter for letter in request.headers.get("user-agent", "") if letter.isprintable())
    return Origin(None if request.client is None else request.client.host, said[:_LONGEST_DEVICE] or None)


RequestOrigin = Annotated[Origin, Depends(origin)]
"""Where the request comes from, in a route."""
