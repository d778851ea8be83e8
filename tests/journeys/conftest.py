"""A running gateway and hub with the demo's invoices, a relay and a worker that render their PDFs, and a browser."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, async_playwright

from kernel.clock import SystemClock
from kernel.limits import Limiter
from kernel.live import Rooms, Tickets
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from kernel.store.roles import Urls
from kernel.telemetry.metrics import Metrics
from kernel.wakeup import Publisher
from ops.dev import servers
from ops.dev.chromium import build_launch_arguments, find_chromium
from ops.dev.programs import Program, RunningProgram, build_environ, start, stop, wait_until_ready
from ops.ports import find_free_port
from ops.seed import seed
from tenants.invoices.jobs import PDF_QUEUE
from tenants.workspaces.authority import WriteMode
from tests.conftest import OPERATOR
from tests.fakes.conversations import Conversation
from tests.fakes.hub_processes import HubProcesses
from tests.fakes.sample_workspaces import create_sample_workspace
from web.gateway import create_gateway
from web.http.server import Server
from web.hub.frames import encode_frame
from web.hub.hub import Hub

# Records every layout shift from the first paint on (Layout Instability, W3C).
_RECORD_LAYOUT_SHIFTS = """
window.layoutShifts = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) {
    const nodes = (entry.sources ?? []).map(source => source.node?.outerHTML?.slice(0, 80) ?? "?");
    window.layoutShifts.push([entry.value, nodes]);
  }
}).observe({type: "layout-shift", buffered: true});
"""


@dataclass(frozen=True, slots=True)
class Portal:
    """The running gateway: the URL of each seeded invoice by its tags."""

    by_tag: dict[str, str]
    #: By workspace and all tags.
    by_tags: dict[tuple[str, tuple[str, ...]], str]
    host: str
    database: Database
    sealer: Sealer

    def link(self, tag: str) -> str:
        """Return the URL of the first seeded invoice with that tag."""
        return self.by_tag[tag]


@dataclass(frozen=True, slots=True)
class Hubs:
    """Hub processes, and the port of the gateway whose pages use them."""

    processes: HubProcesses
    port: int
    portal: Portal

    async def begin_conversation(self, mode: WriteMode = WriteMode.LINK, **authority: Any) -> Conversation:
        """Issue an invoice, with the URL of its page at this gateway."""
        workspace = await create_sample_workspace(self.portal.database, self.portal.sealer, SystemClock())
        return await Conversation.begin(workspace, self.port, mode, **authority)


BeginConversation = Callable[..., Awaitable[Conversation]]
ReadLayoutShifts = Callable[[Page], Awaitable[list[Any]]]


class OpenPage(Protocol):
    """Opens the page of an invoice with a tag, or at a URL, in a new context without a cache."""

    def __call__(
        self,
        where: str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        expects_refusals: bool = False,
        **context: Any,
    ) -> Awaitable[Page]: ...


class _ServerWithoutSignals(Server):
    """The gateway's server, which leaves signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class PdfProcesses:
    """Relay and worker as processes on the journeys' database: they render the PDFs that pages request."""

    folder: Path
    variables: dict[str, str]
    running: dict[str, RunningProgram] = field(default_factory=dict)
    #: How long a page may wait for a PDF behind other renders.
    timeout_ms: int = 90_000

    async def start(self, kind: str) -> None:
        """Start a process and wait until it is ready."""
        program = Program(kind, (kind,), find_free_port())
        ports = {"PORTAL_METRICS_PORT": str(program.metrics_port)}
        self.running[kind] = start(program, build_environ(self.variables | ports), self.folder / "logs")
        await asyncio.to_thread(wait_until_ready, self.running[kind])

    async def stop(self, kind: str) -> None:
        """End a process as an operator would."""
        await asyncio.to_thread(stop, self.running.pop(kind))

    def stop_all(self) -> None:
        """End both."""
        while self.running:
            stop(self.running.popitem()[1])


_PDF_PROCESSES = pytest.StashKey[PdfProcesses]()


@pytest.fixture(scope="session")
def blobs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the blobs of gateway and worker."""
    return tmp_path_factory.mktemp("blobs")


@pytest.fixture(scope="session")
async def _pdf_processes(
    portal: Portal, urls: Urls, blobs_folder: Path, pytestconfig: pytest.Config
) -> AsyncIterator[PdfProcesses]:
    assert portal.by_tag  # the invoices are issued before the worker starts
    # A Redis of its own, because workers of other tests would get its notifications. Its socket needs a short path.
    with tempfile.TemporaryDirectory(prefix="pdf-") as name:
        folder = Path(name)
        variables = {
            "PORTAL_PROFILE": "test",
            "PORTAL_DATABASE_URL": urls.app,
            "PORTAL_DATABASE_SVC_URL": urls.svc,
            "PORTAL_REDIS_URL": servers.start_redis(folder, environ={}),
            "PORTAL_BLOBS_URL": str(blobs_folder),
            "PORTAL_CHROMIUM": find_chromium(),
            # Without the bulk queue, in which all seeded invoices wait.
            "PORTAL_JOB_QUEUES": PDF_QUEUE,
            "PORTAL_JOB_LEASE_S": "2",
            # Longer than a test: the jobs of the other queues are dispatched again and again.
            "PORTAL_JOB_REDISPATCH_S": "60",
        }
        pdf_processes = pytestconfig.stash[_PDF_PROCESSES] = PdfProcesses(folder, variables)
        yield pdf_processes
        pdf_processes.stop_all()
        servers.stop_redis(folder)


@pytest.fixture
async def pdf_processes(_pdf_processes: PdfProcesses) -> PdfProcesses:
    """Relay and worker; started unless they run already."""
    for kind in ("relay", "worker"):
        if kind not in _pdf_processes.running:
            await _pdf_processes.start(kind)
    return _pdf_processes


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop relay and worker when the next test is none of the journeys: idle they take a tenth of a processor."""
    processes = item.config.stash.get(_PDF_PROCESSES, None)
    if processes is not None and (nextitem is None or Path(__file__).parent not in nextitem.path.parents):
        processes.stop_all()


@dataclass(frozen=True, slots=True)
class _Connections:
    """What the gateways of the journeys have in common."""

    variables: dict[str, str]
    database: Database
    limiter: Limiter


@pytest.fixture(scope="session")
async def _connections(urls: Urls, redis_url: str, blobs_folder: Path) -> AsyncIterator[_Connections]:
    limiter, publisher = Limiter(redis_url), Publisher(redis_url, deadline_s=10)
    database = await Database.open(
        urls.app, size=6, name="journeys", acquire_timeout_s=5, actor=OPERATOR, publish=publisher.publish
    )
    variables = {
        "PORTAL_PROFILE": "test",
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_REDIS_URL": redis_url,
        "PORTAL_BLOBS_URL": str(blobs_folder),
        "PORTAL_PUBLIC_SCHEME": "http",
        "PORTAL_PAGE_LIMIT_PER_MINUTE": "100000",
        "PORTAL_SIGN_IN_LIMIT_PER_MINUTE": "100000",
        "PORTAL_LOG_LEVEL": "error",
    }
    yield _Connections(variables, database, limiter)
    await limiter.close()
    await database.close()
    await publisher.close()


@asynccontextmanager
async def _serve_gateway(
    connections: _Connections, listening: socket.socket, realtime_url: str
) -> AsyncIterator[Settings]:
    """Serve the pages on a port, with the addresses of hubs in them."""
    port = listening.getsockname()[1]
    settings = Settings.from_environ(
        connections.variables | {"PORTAL_PUBLIC_PORT": str(port), "PORTAL_REALTIME_URL": realtime_url}
    )
    gateway = create_gateway(
        settings, connections.database, clock=SystemClock(), limiter=connections.limiter, metrics=Metrics()
    )
    server = _ServerWithoutSignals(gateway, replace(settings, port=port))
    following = asyncio.create_task(gateway.services.rooms.run())
    running = asyncio.create_task(server.serve(sockets=[listening]))
    following = asyncio.create_task(gateway.services.rooms.run())
    while not server.started:
        assert not running.done(), running
        await asyncio.sleep(0.01)
    yield settings
    server.should_exit = True
    await running
    following.cancel()
    await asyncio.wait([following])
    await gateway.close()


@asynccontextmanager
async def _serve_hub(settings: Settings, database: Database, listening: socket.socket) -> AsyncIterator[None]:
    """Serve sockets beside a gateway in this process: a process of its own costs two seconds of processor time."""
    metrics, clock = Metrics(), SystemClock()
    rooms = Rooms(database, metrics, redis_url=settings.redis_url, encode_frame=encode_frame)
    hub = Hub(
        rooms, Tickets(Sealer(settings.secret_keys), clock), settings=settings, clock=clock, metrics=metrics
    )
    following = asyncio.create_task(rooms.run())
    await hub.start(listening)
    yield
    await hub.close()
    following.cancel()
    await asyncio.wait([following])
    await rooms.close()


@pytest.fixture(scope="session")
async def portal(_connections: _Connections) -> AsyncIterator[Portal]:
    """A gateway and a hub on ports of their own, with the demo's invoices."""
    pages, sockets = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    realtime_url = f"ws://{{host}}:{sockets.getsockname()[1]}"
    database = _connections.database
    async with _serve_gateway(_connections, pages, realtime_url) as settings:
        seeded = await seed(database, settings, lambda _name: None)
        by_tag: dict[str, str] = {}
        for invoice in seeded.invoices:
            for tag in invoice["tags"]:
                by_tag.setdefault(tag, invoice["url"])
        by_tags = {(each["workspace"], tuple(each["tags"])): each["url"] for each in seeded.invoices}
        async with _serve_hub(settings, database, sockets):
            yield Portal(
                by_tag, by_tags, seeded.workspaces[0]["host"], database, Sealer(settings.secret_keys)
            )


@pytest.fixture
async def hubs(portal: Portal, _connections: _Connections) -> AsyncIterator[Hubs]:
    """Two hubs as processes, which the test may kill, and a gateway whose pages use them."""
    pages = socket.create_server(("127.0.0.1", 0))
    port = pages.getsockname()[1]
    # The folder of the logs.
    with tempfile.TemporaryDirectory(prefix="hubs-") as name:
        variables = _connections.variables | {"PORTAL_PUBLIC_PORT": str(port)}
        processes = HubProcesses(Path(name), variables)
        async with _serve_gateway(_connections, pages, processes.realtime_url):
            await processes.start()
            yield Hubs(processes, port, portal)
            processes.kill_all()


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """The browser of this pytest worker."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(
            executable_path=find_chromium(), args=build_launch_arguments()
        )
        yield opened
        await opened.close()


@pytest.fixture
async def open_page(chromium: Browser, portal: Portal) -> AsyncIterator[OpenPage]:
    """Open pages; none may report an error, a refused source or an exception."""
    errors: list[str] = []
    contexts = []

    async def open_in_new_context(
        where: str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        expects_refusals: bool = False,
        **context: Any,
    ) -> Page:
        browser_context = await chromium.new_context(
            viewport=ViewportSize(width=width, height=height),
            color_scheme="dark" if dark else "light",
            **context,
        )
        contexts.append(browser_context)
        await browser_context.add_init_script(_RECORD_LAYOUT_SHIFTS)
        page = await browser_context.new_page()
        url = where if "://" in where else portal.link(where)

        def record(message: ConsoleMessage) -> None:
            # The browser reports a challenge as an error too: its status is 403.
            is_refusal = expects_refusals and "status of 403" in message.text
            if message.type == "error" and not is_refusal:
                errors.append(message.text)

        page.on("console", record)
        page.on("pageerror", lambda error: errors.append(str(error)))
        response = await page.goto(url, wait_until="load")
        assert response is not None
        # The browser reports the status of a 404 page as an error.
        if response.status >= 400:
            errors.clear()
        return page

    yield open_in_new_context
    for each in contexts:
        await each.close()
    assert errors == []


@pytest.fixture
def begin_conversation(portal: Portal) -> BeginConversation:
    """Return a function that issues an invoice which can be written to in a mode."""

    async def begin(mode: WriteMode = WriteMode.LINK, **authority: Any) -> Conversation:
        workspace = await create_sample_workspace(portal.database, portal.sealer, SystemClock())
        return await Conversation.begin(workspace, int(portal.host.rpartition(":")[2]), mode, **authority)

    return begin


@pytest.fixture
def read_layout_shifts() -> Callable[[Page], Awaitable[list[Any]]]:
    """Return a function that reads every layout shift of a page: its size, and the moved elements."""

    async def read(page: Page) -> list[Any]:
        # Two frames: shifts of a frame are reported with the next.
        await page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        found: list[Any] = await page.evaluate("window.layoutShifts")
        return found

    return read
