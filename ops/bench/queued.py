"""PDFs through relay, Redis and worker as real processes: throughput against the renderer alone, and recovery."""

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
from kernel.setting_values import DEMO_SECRET
from kernel.settings import Profile
from kernel.store import Database, fetch_value
from kernel.store.roles import Urls
from ops.bench import prints
from ops.bench.prints import METADATA, OWNER
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
_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.03
_DONE: Final = "SELECT count(*) FROM invoice_pdf WHERE workspace_id = $1 AND pinned"
# How each victim is told from the others, by its command line.
_MARKS: Final = {"renderer": "--type=renderer", "driver": "run-driver"}


@dataclass(slots=True)
class Queue:
    """Throughput against that of the renderer alone; by what was killed: jobs lost, seconds until the next result."""

    share: float = 0.0
    lost: dict[str, int] = field(default_factory=dict)
    next_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _House:
    """A workspace with invoices to issue, and the worker that prints them."""

    database: Database
    workspace_id: WorkspaceId
    customer_id: CustomerId
    worker: programs.RunningProgram

    async def drafts(self, count: int) -> list[InvoiceId]:
        async with self.database.scope(self.workspace_id):
            what, clock = prints.content(), SystemClock()
            return [await actions.create_draft(self.customer_id, what, clock=clock) for _ in range(count)]

    async def issue(self, drafts: list[InvoiceId]) -> None:
        """Issue them in one transaction, so that all of their jobs are there at once."""
        async with self.database.scope(self.workspace_id):
            for invoice_id in drafts:
                await actions.issue(invoice_id, clock=SystemClock())

    async def done(self) -> int:
        async with self.database.scope(self.workspace_id, read_only=True):
            return int(await fetch_value(_DONE, self.workspace_id) or 0)

    async def until(self, count: int) -> None:
        """Wait until so many PDFs are pinned, or nobody has patience any more."""
        deadline = perf_counter() + _PATIENCE_S
        while perf_counter() < deadline:
            if await self.done() >= count:
                return
            await asyncio.sleep(_POLL_S)


def measure_queue(rounds: int) -> Queue:
    """Start what it takes, measure, and end it."""
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
            return asyncio.run(_measured(urls, running[-1], rounds))
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
        **prints.chromium().settings,
    }
    return programs.start(program, programs.build_environ(environ), state / "logs")


async def _measured(urls: Urls, worker: programs.RunningProgram, rounds: int) -> Queue:
    fonts, found = Fonts.load(), Queue()
    database = await Database.open(urls.app, size=2, name="bench", actor=identify_operator())
    renderer = prints.make_renderer(SLOTS, fonts)
    try:
        await renderer.start()
        house = await _house(database, worker)
        shares = []
        for done in range(rounds + 1):
            directly = await _directly(renderer, prints.sheet(fonts))
            queued = await _through(house)
            # The first round only warms both up.
            shares += [directly / queued] if done else []
        found.share = statistics.median(shares)
        await renderer.close()
        for who in ("browser", "renderer", "driver"):
            found.lost[who], found.next_s[who] = await _killed(house, who)
    finally:
        await renderer.close()
        await database.close()
    return found


async def _house(database: Database, worker: programs.RunningProgram) -> _House:
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
    return _House(database, workspace_id, customer.customer_id, worker)


async def _directly(renderer: Renderer, html: str) -> float:
    """Return the seconds that renderer and post-processing alone take for a batch, with the worker's concurrency."""

    async def one() -> None:
        raw = await renderer.render(html, owner=OWNER, within_s=_PATIENCE_S)
        await asyncio.to_thread(postprocess, raw, METADATA)

    began = perf_counter()
    await asyncio.gather(*(one() for _ in range(_BATCH)))
    return perf_counter() - began


async def _through(house: _House) -> float:
    """Return the seconds from the commit of a batch's issue until the last of its PDFs is pinned."""
    drafts, before = await house.drafts(_BATCH), await house.done()
    await house.issue(drafts)
    began = perf_counter()
    await house.until(before + _BATCH)
    if await house.done() < before + _BATCH:
        message = f"Not all PDFs came. The end of the worker's log:\n{read_log_end(house.worker.log)}"
        raise RuntimeError(message)
    return perf_counter() - began


async def _killed(house: _House, who: str) -> tuple[int, float]:
    """Kill a part while it prints; return the jobs lost, and the seconds until what is asked for then is there."""
    drafts, before = await house.drafts(_IN_FLIGHT + 1), await house.done()
    await house.issue(drafts[:-1])
    await house.until(before + 1)
    for pid in _victims(house.worker.process.pid, who):
        os.kill(pid, signal.SIGKILL)
    began = perf_counter()
    await house.issue(drafts[-1:])
    async with house.database.scope(house.workspace_id):
        await request_pdf(drafts[-1], 1, _LOCALE)
    next_s = await _until_there(house, drafts[-1]) - began
    await house.until(before + len(drafts))
    return before + len(drafts) - await house.done(), next_s


async def _until_there(house: _House, invoice_id: InvoiceId) -> float:
    """Return the moment at which the PDF of an invoice is pinned, or at which patience ends."""
    query = "SELECT count(*) FROM invoice_pdf WHERE workspace_id = $1 AND invoice_id = $2 AND pinned"
    deadline = perf_counter() + _PATIENCE_S
    while perf_counter() < deadline:
        async with house.database.scope(house.workspace_id, read_only=True):
            if await fetch_value(query, house.workspace_id, invoice_id):
                break
        await asyncio.sleep(_POLL_S)
    return perf_counter()


def _victims(worker: int, who: str) -> list[int]:
    """Return the processes of one part of Chromium below the worker."""
    commands = list_descendants(worker)
    if who == "browser":
        chromium = {pid for pid, command in commands.items() if "--remote-debugging-pipe" in command}
        found = [pid for pid in chromium if "--type=" not in commands[pid]]
    else:
        found = [pid for pid, command in commands.items() if _MARKS[who] in command]
    if not found:
        message = f"The worker has no {who} to kill: {sorted(commands.values())}"
        raise RuntimeError(message)
    return found
