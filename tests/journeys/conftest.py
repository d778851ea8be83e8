"""A running gateway with the demo's invoices in it, what prints their PDFs, and a real browser that goes there."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from kernel.clock import SystemClock
from kernel.limits import Limiter
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import Urls
from kernel.telemetry.metrics import Metrics
from ops.dev import chromium as programs
from ops.dev import servers
from ops.dev.programs import Program, RunningProgram, build_environ, start, stop, wait_until_ready
from ops.ports import find_free_port
from ops.seed import seed
from tenants.invoices.jobs import PDF_QUEUE
from tests.conftest import OPERATOR
from web.gateway import create_gateway
from web.http.server import Server

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


Jumps = Callable[[Page], Awaitable[list[Any]]]


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


@dataclass(slots=True)
class Works:
    """Relay and worker as processes on the journeys' database: what prints the PDFs that pages ask for."""

    folder: Path
    variables: dict[str, str]
    running: dict[str, RunningProgram] = field(default_factory=dict)
    #: How long a page may wait for a PDF that other prints stand before.
    patience_ms: int = 90_000

    async def start(self, kind: str) -> None:
        """Start a process, which is not there yet or no more, and wait until it is ready."""
        program = Program(kind, (kind,), find_free_port())
        ports = {"PORTAL_METRICS_PORT": str(program.metrics_port)}
        self.running[kind] = start(program, build_environ(self.variables | ports), self.folder / "logs")
        await asyncio.to_thread(wait_until_ready, self.running[kind])

    async def stop(self, kind: str) -> None:
        """End a process as an operator would."""
        await asyncio.to_thread(stop, self.running.pop(kind))


@pytest.fixture(scope="session")
def blobs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where gateway and worker keep PDFs."""
    return tmp_path_factory.mktemp("blobs")


@pytest.fixture(scope="session")
async def _works(portal: Portal, urls: Urls, blobs_folder: Path) -> AsyncIterator[Works]:
    assert portal.by_tag  # what is issued is asked for before anybody prints
    # A bell of its own: others' workers would answer this one. Its socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="works-") as name:
        folder = Path(name)
        variables = {
            "PORTAL_PROFILE": "test",
            "PORTAL_DATABASE_URL": urls.app,
            "PORTAL_DATABASE_SVC_URL": urls.svc,
            "PORTAL_REDIS_URL": servers.start_redis(folder, environ={}),
            "PORTAL_BLOBS_URL": str(blobs_folder),
            "PORTAL_CHROMIUM": programs.find_chromium(),
            # Not what was issued: without this each run prints all seeded invoices, and the pages wait.
            "PORTAL_JOB_QUEUES": PDF_QUEUE,
            "PORTAL_JOB_LEASE_S": "2",
            "PORTAL_JOB_REDISPATCH_S": "2",
        }
        works = Works(folder, variables)
        await works.start("relay")
        await works.start("worker")
        yield works
        for kind in list(works.running):
            await works.stop(kind)
        servers.stop_redis(folder)


@pytest.fixture
async def works(_works: Works) -> AsyncIterator[Works]:
    """Relay and worker, started when a test first needs them; what a test stopped runs again after it."""
    yield _works
    for kind in ("relay", "worker"):
        if kind not in _works.running:
            await _works.start(kind)


@pytest.fixture(scope="session")
async def portal(urls: Urls, redis_url: str, blobs_folder: Path) -> AsyncIterator[Portal]:
    """A gateway on a port of its own, with everything the demo has."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    settings = Settings.from_environ(
        {
            "PORTAL_PROFILE": "test",
            "PORTAL_DATABASE_URL": urls.app,
            "PORTAL_REDIS_URL": redis_url,
            "PORTAL_BLOBS_URL": str(blobs_folder),
            "PORTAL_PUBLIC_SCHEME": "http",
            "PORTAL_PUBLIC_PORT": str(port),
            "PORTAL_PAGE_LIMIT_PER_MINUTE": "100000",
            "PORTAL_LOG_LEVEL": "error",
        }
    )
    database = await Database.open(
        settings.database_url, size=4, name="journeys", acquire_timeout_s=5, actor=OPERATOR
    )
    limiter = Limiter(redis_url)
    seeded = await seed(database, settings, lambda _name: None)
    by_tag: dict[str, str] = {}
    for invoice in seeded.invoices:
        for tag in invoice["tags"]:
            by_tag.setdefault(tag, invoice["url"])
    by_tags = {(each["workspace"], tuple(each["tags"])): each["url"] for each in seeded.invoices}
    gateway = create_gateway(settings, database, clock=SystemClock(), limiter=limiter, metrics=Metrics())
    server = _Quiet(gateway, replace(settings, port=port))
    running = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        assert not running.done(), running
        await asyncio.sleep(0.01)
    yield Portal(by_tag, by_tags, seeded.workspaces[0]["host"])
    server.should_exit = True
    await running
    await gateway.close()
    await limiter.close()
    await database.close()


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser of this worker."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=programs.find_chromium(), args=programs.build_launch_arguments()
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
