"""PDFs through relay, Redis and worker as real processes: throughput, and recovery from killed processes."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.settings import Profile
from kernel.store import Database, fetch_value
from kernel.store.roles import Urls
from ops.bench import pdf_methods
from ops.bench.pdf_methods import METADATA, OWNER
from ops.bench.resource_usage import list_descendants
from ops.command_context import identify_operator
from ops.dev import programs, servers
from ops.dev.child_processes import read_log_end
from ops.migrate import prepare_database
from ops.ports import find_free_port
from tenants.customers.actions import create_customer
from tenants.customers.values import CustomerDetails
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices import actions
from tenants.invoices.actions.pdfs import request_pdf
from tenants.invoices.document.fonts import Fonts
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.profile import NewWorkspace
from workers.pdf.postprocess import postprocess
from workers.pdf.renderer import Renderer

SLOTS: Final = 4
_LOCALE: Final = "de-DE"
_BATCH: Final = 40
_IN_FLIGHT: Final = 8
_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.03
_COUNT_PINNED: Final = "SELECT count(*) FROM invoice_pdf WHERE workspace_id = $1 AND pinned"
# Text in the command line of each kind of process.
_COMMAND_PARTS: Final = {"renderer": "--type=renderer", "driver": "run-driver"}


@dataclass(slots=True)
class QueueResult:
    """Throughput divided by that of the renderer alone; lost jobs and seconds to the next PDF by the killed process."""

    throughput_ratio: float = 0.0
    lost_jobs: dict[str, int] = field(default_factory=dict)
    recovery_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Environment:
    """A workspace with invoices to issue, and the worker that renders them."""

    database: Database
    workspace_id: WorkspaceId
    customer_id: CustomerId
    worker: programs.RunningProgram

    async def create_drafts(self, count: int) -> list[InvoiceId]:
        async with self.database.scope(self.workspace_id):
            content, clock = pdf_methods.load_content(), SystemClock()
            return [await actions.create_draft(self.customer_id, content, clock=clock) for _ in range(count)]

    async def issue(self, drafts: list[InvoiceId]) -> None:
        """Issue them in one transaction, so that all their jobs become due at once."""
        async with self.database.scope(self.workspace_id):
            for invoice_id in drafts:
                await actions.issue(invoice_id, clock=SystemClock())

    async def count_pinned(self) -> int:
        async with self.database.scope(self.workspace_id, read_only=True):
            return int(await fetch_value(_COUNT_PINNED, self.workspace_id) or 0)

    async def wait_for_pinned(self, count: int) -> None:
        """Wait until `count` PDFs are pinned, or for the time limit."""
        deadline = perf_counter() + _TIMEOUT_S
        while perf_counter() < deadline:
            if await self.count_pinned() >= count:
                return
            await asyncio.sleep(_POLL_S)


def measure_queue(rounds: int) -> QueueResult:
    """Start the servers and processes, measure, and stop them."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        state = Path(folder)
        running: list[programs.RunningProgram] = []
        try:
            admin = servers.start_postgres(state, environ={})
            redis = servers.start_redis(state, environ={})
            urls = asyncio.run(prepare_database(admin, "bench_pdf")).urls
            for kind in ("relay", "worker"):
                running.append(_start(kind, urls, redis, state))
                programs.wait_until_ready(running[-1])
            return asyncio.run(_measure(urls, running[-1], rounds))
        finally:
            for each in reversed(running):
                programs.stop(each)
            servers.stop_redis(state)
            servers.stop_postgres(state)


def _start(kind: str, urls: Urls, redis: str, state: Path) -> programs.RunningProgram:
    program = programs.Program(kind, (kind,), find_free_port())
    environ = {
        "PORTAL_PROFILE": Profile.DEMO.value,
        "PORTAL_DATABASE_URL": urls.app,
        "PORTAL_DATABASE_SVC_URL": urls.svc,
        "PORTAL_REDIS_URL": redis,
        "PORTAL_METRICS_PORT": str(program.metrics_port),
        "PORTAL_BLOBS_URL": str(state / "blobs"),
        "PORTAL_JOB_SLOTS": str(SLOTS),
        **pdf_methods.find_configured_chromium().settings,
    }
    return programs.start(program, programs.build_environ(environ), state / "logs")


async def _measure(urls: Urls, worker: programs.RunningProgram, rounds: int) -> QueueResult:
    fonts, result = Fonts.load(), QueueResult()
    database = await Database.open(urls.app, size=2, name="bench", actor=identify_operator())
    renderer = pdf_methods.create_renderer(SLOTS, fonts)
    try:
        await renderer.start()
        environment = await _create_environment(database, worker)
        ratios = []
        for index in range(rounds + 1):
            direct_s = await _measure_direct(renderer, pdf_methods.render_sheet_html(fonts))
            queued_s = await _measure_queued(environment)
            # The first round only warms both up.
            ratios += [direct_s / queued_s] if index else []
        result.throughput_ratio = statistics.median(ratios)
        await renderer.close()
        for kind in ("browser", "renderer", "driver"):
            result.lost_jobs[kind], result.recovery_s[kind] = await _measure_recovery(environment, kind)
    finally:
        await renderer.close()
        await database.close()
    return result


async def _create_environment(database: Database, worker: programs.RunningProgram) -> _Environment:
    workspace_id, clock = WorkspaceId(new_id()), SystemClock()
    async with database.scope(workspace_id):
        await create_workspace(
            NewWorkspace("bench", "Bench", locale=_LOCALE),
            base_domain="localhost",
            reserved_hosts=(),
            sealer=Sealer((("demo", DEMO_SECRET),)),
            clock=clock,
        )
        customer = await create_customer(CustomerDetails(name="Buyer"), clock=clock)
    return _Environment(database, workspace_id, customer.customer_id, worker)


async def _measure_direct(renderer: Renderer, html: str) -> float:
    """Return the seconds that renderer and post-processing alone take for a batch, with the worker's concurrency."""

    async def render_one() -> None:
        raw = await renderer.render(html, owner=OWNER, within_s=_TIMEOUT_S)
        await asyncio.to_thread(postprocess, raw, METADATA)

    started_at = perf_counter()
    await asyncio.gather(*(render_one() for _ in range(_BATCH)))
    return perf_counter() - started_at


async def _measure_queued(environment: _Environment) -> float:
    """Return the seconds from the commit of a batch's issue until the last of its PDFs is pinned."""
    drafts, before = await environment.create_drafts(_BATCH), await environment.count_pinned()
    await environment.issue(drafts)
    started_at = perf_counter()
    await environment.wait_for_pinned(before + _BATCH)
    if await environment.count_pinned() < before + _BATCH:
        message = f"Not all PDFs were rendered. The end of the worker's log:\n{read_log_end(environment.worker.log)}"
        raise RuntimeError(message)
    return perf_counter() - started_at


async def _measure_recovery(environment: _Environment, kind: str) -> tuple[int, float]:
    """Kill processes while they render; return the number of lost jobs, and the seconds to the next requested PDF."""
    drafts, before = await environment.create_drafts(_IN_FLIGHT + 1), await environment.count_pinned()
    await environment.issue(drafts[:-1])
    await environment.wait_for_pinned(before + 1)
    for pid in _find_processes(environment.worker.process.pid, kind):
        os.kill(pid, signal.SIGKILL)
    started_at = perf_counter()
    await environment.issue(drafts[-1:])
    async with environment.database.scope(environment.workspace_id):
        await request_pdf(drafts[-1], 1, _LOCALE)
    recovery_s = await _wait_for_pdf(environment, drafts[-1]) - started_at
    await environment.wait_for_pinned(before + len(drafts))
    return before + len(drafts) - await environment.count_pinned(), recovery_s


async def _wait_for_pdf(environment: _Environment, invoice_id: InvoiceId) -> float:
    """Return the time at which the PDF of an invoice is pinned, or at which the time limit ends."""
    query = "SELECT count(*) FROM invoice_pdf WHERE workspace_id = $1 AND invoice_id = $2 AND pinned"
    deadline = perf_counter() + _TIMEOUT_S
    while perf_counter() < deadline:
        async with environment.database.scope(environment.workspace_id, read_only=True):
            if await fetch_value(query, environment.workspace_id, invoice_id):
                break
        await asyncio.sleep(_POLL_S)
    return perf_counter()


def _find_processes(worker: int, kind: str) -> list[int]:
    """Return the processes of one part of Chromium below the worker."""
    commands = list_descendants(worker)
    if kind == "browser":
        chromium = {pid for pid, command in commands.items() if "--remote-debugging-pipe" in command}
        pids = [pid for pid in chromium if "--type=" not in commands[pid]]
    else:
        pids = [pid for pid, command in commands.items() if _COMMAND_PARTS[kind] in command]
    if not pids:
        message = f"The worker has no {kind} to kill: {sorted(commands.values())}"
        raise RuntimeError(message)
    return pids
