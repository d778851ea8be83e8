"""What the realtime benchmarks run on: Postgres, Redis, a gateway and hubs as real processes, and threads to follow."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.settings import Profile
from kernel.store import Database
from kernel.store.roles import Urls, build_database_url
from ops.bench.installation import BASE_DOMAIN
from ops.bench.live_http import exchange
from ops.bench.live_transports import Address
from ops.dev import programs, servers
from ops.migrate import prepare_database
from ops.ports import find_free_port
from ops.seed.businesses import ACME, ACME_BANK, OAKRIDGE
from ops.seed.lines import SALES, build_lines
from tenants.customers.actions import create_customer
from tenants.customers.values import CustomerDetails
from tenants.invoices import actions
from tenants.invoices.content import Content
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.authority import WriteAuthority, WriteMode
from tenants.workspaces.profile import NewWorkspace

HUBS = 2
_RESTART_PAUSE_S = 0.3


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace and the threads of its invoices, on which whoever holds the link may write."""

    workspace_id: WorkspaceId
    threads: tuple[Address, ...]


@dataclass(slots=True)
class LiveInstallation:
    """The servers and processes; whatever they are at, `repair` brings all of them back."""

    state: Path
    admin_url: str
    """The database as its administrator, who sees all workspaces."""
    urls: Urls
    redis_url: str
    gateway: programs.RunningProgram
    gateway_port: int
    hub_ports: tuple[int, ...]
    hub_module: str = "ops.cli"
    hubs: list[programs.RunningProgram] = field(default_factory=list)
    executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(max_workers=1))

    @property
    def sealer(self) -> Sealer:
        """The sealer of the demo's secret, with which tickets are made."""
        return Sealer((("demo", DEMO_SECRET),))

    def start_hub(self, index: int) -> programs.RunningProgram:
        """Start the process of a hub, which may not be ready yet."""
        metrics_port = find_free_port()
        program = programs.Program(f"hub-{index}", ("hub",), metrics_port, self.hub_module)
        environ = build_settings(self.urls, self.redis_url, metrics_port, self.gateway_port, self.hub_ports)
        environ["PORTAL_PORT"] = str(self.hub_ports[index])
        started = programs.start(program, programs.build_environ(environ), self.state / "logs")
        self.hubs[index : index + 1] = [started]
        return started

    async def revive_hub(self, index: int) -> None:
        """Start a hub as whoever supervises it does: again and again, until it is there."""
        while True:
            started = self.start_hub(index)
            try:
                await asyncio.to_thread(programs.wait_until_ready, started)
            except programs.ProgramFailed:
                # Without Postgres it ends at once.
                if started.process.poll() is None:
                    raise
                await asyncio.sleep(_RESTART_PAUSE_S)
            else:
                return

    def kill_hub(self, index: int) -> None:
        """Kill a hub, which cannot say a word to its readers."""
        process = self.hubs[index].process
        process.kill()
        process.wait()

    def stop_redis(self) -> None:
        """Kill Redis; what it knew is lost."""
        kill_server(self.state, "redis")
        servers.stop_redis(self.state)

    def start_redis(self) -> None:
        """Start Redis at the same address, if it is away."""
        servers.start_redis(self.state, environ={})

    async def stop_postgres(self) -> None:
        """Stop Postgres while it is in use."""
        await self._run_aside(lambda: servers.stop_postgres(self.state))

    async def start_postgres(self) -> None:
        """Start Postgres with its data, if it is away."""
        await self._run_aside(lambda: servers.start_postgres(self.state, durable=False, environ={}))

    async def _run_aside(self, work: Callable[[], object]) -> None:
        """Run in the thread of this installation: a server ends with the thread that has started it."""
        await asyncio.get_running_loop().run_in_executor(self.executor, work)

    async def repair(self) -> None:
        """Start whatever is away, and wait until all is ready."""
        await self.start_postgres()
        await asyncio.to_thread(self.start_redis)
        for index, hub in enumerate(self.hubs):
            if hub.process.poll() is None:
                hub.process.send_signal(signal.SIGCONT)
            else:
                await self.revive_hub(index)
        for each in (self.gateway, *self.hubs):
            await asyncio.to_thread(programs.wait_until_ready, each)


@contextmanager
def open_installation(
    *, hubs: int = HUBS, hub_module: str = "ops.cli", durable: bool = False, name: str = "bench_live"
) -> Iterator[LiveInstallation]:
    """Start everything with data of its own; all is stopped and deleted at the end.

    `hub_module` is what runs as hubs: the product's command line, or a server that adds probes to it.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        installation: LiveInstallation | None = None
        try:
            admin = servers.start_postgres(state, durable=durable, environ={})
            redis = servers.start_redis(state, environ={})
            urls = asyncio.run(prepare_database(admin, name)).urls
            installation = _start_processes(
                state, build_database_url(admin, name), urls, redis, hubs=hubs, hub_module=hub_module
            )
            yield installation
        finally:
            if installation is not None:
                _kill([installation.gateway, *installation.hubs])
            servers.stop_redis(state)
            servers.stop_postgres(state)
            if installation is not None:
                installation.executor.shutdown()


def _start_processes(
    state: Path, admin: str, urls: Urls, redis: str, *, hubs: int, hub_module: str
) -> LiveInstallation:
    port, metrics_port = find_free_port(), find_free_port()
    hub_ports = tuple(find_free_port() for _ in range(hubs))
    environ = build_settings(urls, redis, metrics_port, port, hub_ports)
    environ |= {"PORTAL_PORT": str(port), "PORTAL_BLOBS_URL": str(state / "blobs")}
    gateway = programs.start(
        programs.Program("gateway", ("gateway",), metrics_port),
        programs.build_environ(environ),
        state / "logs",
    )
    installation = LiveInstallation(state, admin, urls, redis, gateway, port, hub_ports, hub_module)
    try:
        for index in range(hubs):
            installation.start_hub(index)
        for each in (gateway, *installation.hubs):
            programs.wait_until_ready(each)
    except BaseException:
        _kill([gateway, *installation.hubs])
        raise
    return installation


def build_settings(
    urls: Urls, redis: str, metrics_port: int, gateway_port: int, hub_ports: tuple[int, ...]
) -> dict[str, str]:
    """Return what the environment of gateway and hubs has in common."""
    return {
        "PORTAL_PROFILE": Profile.DEMO.value,
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_REDIS_URL": redis,
        "PORTAL_METRICS_PORT": str(metrics_port),
        "PORTAL_PUBLIC_SCHEME": "http",
        "PORTAL_PUBLIC_PORT": str(gateway_port),
        "PORTAL_REALTIME_URL": ",".join(f"ws://{{host}}:{port}" for port in hub_ports),
        # All readers come from one address.
        "PORTAL_TRUSTED_PROXIES": "127.0.0.0/8",
        "PORTAL_PAGE_LIMIT_PER_MINUTE": "1000000",
        "PORTAL_LOG_LEVEL": "warning",
    }


def kill_server(state: Path, name: str) -> None:
    """Kill "redis" or "postgres" of a state folder, if it runs."""
    pid = servers.find_pid(state, name)
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _kill(running: list[programs.RunningProgram]) -> None:
    """End processes of which some may be stopped."""
    for each in running:
        each.process.kill()
        each.process.wait()


async def read_metric(program: programs.RunningProgram, name: str) -> float:
    """Return the sum of a metric of a process over all labels; 0 without any."""
    answer = await exchange(program.program.metrics_port, "127.0.0.1", "/metrics")
    values = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", answer.body.decode(), re.MULTILINE)
    return sum(float(value) for value in values)


async def count_wakes(program: programs.RunningProgram) -> float:
    """Return how many wake-ups a process has heard."""
    return await read_metric(program, "portal_live_wakes_total")


async def create_workspace_with_threads(
    database: Database, installation: LiveInstallation, slug: str, threads: int
) -> Workspace:
    """Write a workspace with invoices and links by the product's actions."""
    sealer, clock, workspace_id = installation.sealer, SystemClock(), WorkspaceId(new_id())
    content = Content(
        currency="USD",
        seller=ACME,
        buyer=OAKRIDGE,
        lines=tuple(build_lines(1, "USD", SALES)),
        transfers=(ACME_BANK,),
        due_date=None,
    )
    addresses: list[Address] = []
    async with database.scope(workspace_id):
        await create_workspace(
            NewWorkspace(slug, slug), base_domain=BASE_DOMAIN, reserved_hosts=(), sealer=sealer, clock=clock
        )
        customer = await create_customer(CustomerDetails(name=OAKRIDGE.name), clock=clock)
        for _ in range(threads):
            invoice_id = await actions.create_draft(customer.customer_id, content, clock=clock)
            await actions.issue(invoice_id, clock=clock)
            await actions.set_write_authority(invoice_id, WriteAuthority.create(WriteMode.LINK))
            link = await actions.issue_link(invoice_id, sealer=sealer, clock=clock)
            host = f"{slug}.{BASE_DOMAIN}"
            addresses.append(Address(host, installation.gateway_port, link.token, UUID(str(invoice_id))))
    return Workspace(workspace_id, tuple(addresses))
