"""Where do people read and try the API in a browser? On a page that loads nothing from other people's servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from types import MappingProxyType

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        # Swagger UI has its pictures in its style sheet, as data.
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fillstream</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
# In a file of its own: the policy allows no script within a page. The validator would be somebody else's server.
_START = b"""SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});
"""
_OF_SWAGGER = MappingProxyType(
    {
        "swagger-ui-bundle.js": "text/javascript",
        "swagger-ui.css": "text/css",
        "favicon-32x32.png": "image/png",
    }
)


def documentation() -> APIRouter:
    """`/docs` and what it loads: Swagger UI, over `/openapi.json`."""
    router = APIRouter(include_in_schema=False)
    folder = files("fastapi_swagger.resources")

    @router.get("/docs")
    async def page() -> HTMLResponse:
        """The page."""
        return HTMLResponse(_PAGE, headers=dict(_HEADERS))

    @router.get("/docs/start.js")
    async def start() -> Response:
        """What the page does first."""
        return Response(_START, media_type="text/javascript", headers=dict(_HEADERS))

    for name, media_type in _OF_SWAGGER.items():
        router.add_api_route(f"/docs/{name}", _serving((folder / name).read_bytes(), media_type))
    return router


def _serving(content: bytes, media_type: str) -> Callable[[], Awaitable[Response]]:
    async def part_of_swagger() -> Response:
        """A file of Swagger UI, as its package brings it."""
        return Response(content, media_type=media_type, headers=dict(_HEADERS))

    return part_of_swagger
