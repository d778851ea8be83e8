"""A running gateway with the demo's invoices in it, and a real browser that goes there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import pytest
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from kernel.clock import SystemClock
from kernel.limits import Limiter
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import Urls
from kernel.telemetry.metrics import Metrics
from ops import browser as programs
from ops.seed import seed
from web.gateway.app import create_app
from web.gateway.serve import Server

# Notes every jump of the layout from the first paint on, as browsers count them (Layout Instability, W3C).
_WATCH_SHIFTS = """
window.jumps = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    const nodes = (entry.sources ?? []).map(source => source.node?.outerHTML?.slice(0, 80) ?? "?");
    window.jumps.push([entry.value, nodes]);
  }
}).observe({type: "layout-shift", buffered: true});
"""


@dataclass(frozen=True, slots=True)
class Portal:
    """The running gateway: the address of each seeded invoice by what is special about it."""

    by_tag: dict[str, str]
    #: By workspace and all that is special about it.
    by_tags: dict[tuple[str, tuple[str, ...]], str]
    host: str

    def link(self, tag: str) -> str:
        """The first seeded invoice with that tag."""
        return self.by_tag[tag]


class OpenPage(Protocol):
    """Opens the page with a tag, or at an address, in a browser of its own with no cache."""

    def __call__(
        self, where: str, *, width: int = 1280, height: int = 900, dark: bool = False, **context: Any
    ) -> Awaitable[Page]: ...


class _Quiet(Server):
    """The gateway's server, without hands on the signals of the test run."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture(scope="session")
async def portal(urls: Urls, redis_url: str) -> AsyncIterator[Portal]:
    """A gateway on a port of its own, with everything the demo has."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    settings = Settings.from_environ(
        {
            "PORTAL_PROFILE": "test",
            "PORTAL_DATABASE_URL": urls.app,
            "PORTAL_REDIS_URL": redis_url,
            "PORTAL_PUBLIC_SCHEME": "http",
            "PORTAL_PUBLIC_PORT": str(port),
            "PORTAL_PAGE_LIMIT_PER_MINUTE": "100000",
            "PORTAL_LOG_LEVEL": "error",
        }
    )
    database = await Database.open(settings.database_url, size=4, name="journeys", patience_s=5)
    limiter = Limiter(redis_url)
    seeded = await seed(database, settings, lambda _name: None)
    by_tag: dict[str, str] = {}
    for invoice in seeded.invoices:
        for tag in invoice["tags"]:
            by_tag.setdefault(tag, invoice["url"])
    by_tags = {(each["workspace"], tuple(each["tags"])): each["url"] for each in seeded.invoices}
    gateway = create_app(settings, database, clock=SystemClock(), limiter=limiter, metrics=Metrics())
    server = _Quiet(gateway, replace(settings, port=port))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        assert not running.done(), running
        await asyncio.sleep(0.01)
    yield Portal(by_tag, by_tags, seeded.workspaces[0]["host"])
    server.should_exit = True
    await running
    await gateway.house.looks.close()
    await limiter.close()
    await database.close()


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser of this worker."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=programs.executable(), args=programs.arguments()
        )
        yield opened
        await opened.close()


@pytest.fixture
async def open_page(chromium: Browser, portal: Portal) -> AsyncIterator[OpenPage]:
    """Open pages; none may report an error, a refused source or an exception."""
    complaints: list[str] = []
    contexts = []

    async def visit(
        where: str, *, width: int = 1280, height: int = 900, dark: bool = False, **context: Any
    ) -> Page:
        made = await chromium.new_context(
            viewport=ViewportSize(width=width, height=height),
            color_scheme="dark" if dark else "light",
            **context,
        )
        contexts.append(made)
        await made.add_init_script(_WATCH_SHIFTS)
        page = await made.new_page()
        address = where if "://" in where else portal.link(where)
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        answer = await page.goto(address, wait_until="load")
        assert answer is not None
        # A page that is not there is not an error of the page that says so.
        if answer.status >= 400:
            complaints.clear()
        return page

    yield visit
    for each in contexts:
        await each.close()
    assert complaints == []


@pytest.fixture
def jumps() -> Callable[[Page], Awaitable[list[Any]]]:
    """Every jump of a page's layout until now: its size, and what moved."""

    async def read(page: Page) -> list[Any]:
        # Two frames: what the last one moved is reported with the next.
        await page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        found: list[Any] = await page.evaluate("window.jumps")
        return found

    return read
