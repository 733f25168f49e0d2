"""Does the page of the documentation work alone? It names nothing of other people's servers, and may load nothing from them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser

import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from fillstream.gateway import gateway

_ATTRIBUTES = {"src", "href", "srcset", "action", "data", "poster"}
_IN_STYLE = re.compile(r"url\(\s*[\"']?(?P<url>[^\"')]+)|@import\s+[\"'](?P<imported>[^\"']+)")


class Page(HTMLParser):
    """What a page loads, and what stands in it that its policy would not let run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.loaded += [value for name, value in attrs if name in _ATTRIBUTES and value is not None]
        self.inline += [name for name, _ in attrs if name == "style" or name.startswith("on")]

    def handle_endtag(self, _tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in {"script", "style"} and data.strip():
            self.inline.append(data)


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(gateway([], {}, [], []))
    async with AsyncClient(transport=transport, base_url="http://gateway") as asking:
        yield asking


def own(url: str) -> bool:
    """Whether an address is one of the same server, or none."""
    return url.startswith("data:") or (url.startswith("/") and not url.startswith("//"))


def policy(answer: Response) -> dict[str, set[str]]:
    """What an answer may load, by kind."""
    directives = (part.split() for part in answer.headers["content-security-policy"].split(";"))
    return {name: set(sources) for name, *sources in directives}


async def test_the_page_and_all_that_it_loads_come_from_our_own_server(client: AsyncClient) -> None:
    page = await client.get("/docs")
    named = Page(page.text).loaded
    assert {"/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"} < set(named)
    for url in named:
        assert own(url), url
        answer = await client.get(url)
        assert (answer.status_code, len(answer.content) > 0) == (200, True), url
        if answer.headers["content-type"].startswith("text/css"):
            found = [match["url"] or match["imported"] for match in _IN_STYLE.finditer(answer.text)]
            assert [address for address in found if not own(address)] == []


async def test_nothing_may_be_loaded_from_elsewhere_and_no_script_stands_in_the_page(client: AsyncClient) -> None:
    page = await client.get("/docs")
    allowed = policy(page)
    assert allowed["default-src"] == {"'none'"}
    assert set().union(*allowed.values()) == {"'none'", "'self'", "data:"}
    assert (allowed["script-src"], allowed["connect-src"]) == ({"'self'"}, {"'self'"})
    assert Page(page.text).inline == []


async def test_swagger_is_shown_our_own_document_and_asks_nobody_whether_it_is_valid(client: AsyncClient) -> None:
    start = (await client.get("/docs/start.js")).text
    assert 'url: "/openapi.json"' in start
    assert "validatorUrl: null" in start
    assert (await client.get("/openapi.json")).status_code == 200


@pytest.mark.parametrize("name", ["__init__.py", "..%2F__init__.py", "%2e%2e/main.py", "swagger-ui.css%00"])
async def test_nothing_else_of_the_package_is_served(client: AsyncClient, name: str) -> None:
    answer = await client.get(f"/docs/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link href="//cdn.example/x.css">',
        '<img src="http://x.example/a.png">',
    ],
)
def test_a_foreign_address_is_found(page: str) -> None:
    assert [url for url in Page(page).loaded if not own(url)]


def test_a_script_within_a_page_is_found() -> None:
    assert Page("<script>start()</script>").inline
