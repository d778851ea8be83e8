"""Prints through real workers when things die under them: none is lost, none is done twice, and it is said in time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import async_playwright

from kernel.blobs import Blobs
from kernel.clock import SystemClock
from kernel.errors import Unavailable
from kernel.ids import InvoiceId
from kernel.jobs import enqueue
from kernel.jobs.care import replay
from kernel.seals import Sealer
from kernel.store import execute, fetch
from ops import programs, services
from tenants.invoices.actions import Expected, issue, request_pdf
from tenants.invoices.jobs import PDF_BULK_QUEUE, PDF_QUEUE, RenderVersion
from tenants.workspaces.jobs import ForgetReleasedDomains
from tests.fakes.businesses import Business, open_business
from tests.fakes.offspring import alive, below, of_kind, send
from tests.fakes.probing import sample, status
from workers.press.shut_in import find_chromium


@pytest.fixture
async def acme(yard: Any) -> Business:
    """A business in the yard, with a relay that looks after its jobs."""
    await yard.start("relay")
    return await business(yard)


async def business(yard: Any) -> Business:
    return await open_business(yard.database, Sealer((("test", bytes(range(32))),)), SystemClock())


async def printing(yard: Any, **environ: str) -> programs.RunningProgram:
    """Start a worker of the product and wait until its press prints."""
    running: programs.RunningProgram = await yard.start("worker", module="ops.cli", **environ)
    return running


async def begun(
    yard: Any, acme: Business, worker: programs.RunningProgram, *, within_s: int = 30
) -> tuple[InvoiceId, UUID]:
    """Issue an invoice and wait until the worker prints it; its renderers are stopped, and it gets no further."""
    send(of_kind(worker.process.pid, "renderer"), signal.SIGSTOP)
    draft, before = await acme.draft(), set(await yard.jobs())
    async with acme.database.scope(acme.workspace_id):
        await issue(draft, clock=acme.clock)
        await execute(
            "UPDATE job SET payload = payload || $1 WHERE state = 'queued'", f'{{"within_s": {within_s}}}'
        )
    (job,) = set(await yard.jobs()) - before
    await yard.until("running", [job])

    async def is_printing() -> bool:
        return sample(worker, "portal_press_slots_in_use_count") == 1

    await yard.eventually(is_printing)
    return draft, job


async def gone(yard: Any, pids: list[int]) -> None:
    """Wait until none of the processes is left."""

    async def ended() -> bool:
        return not alive(pids)

    await yard.eventually(ended)


async def pinned(acme: Business, yard: Any) -> dict[InvoiceId, bytes]:
    """The PDFs there are, by invoice; each has one row and one blob, and no blob is nobody's."""
    async with acme.database.scope(acme.workspace_id, read_only=True):
        rows = await fetch("SELECT * FROM invoice_pdf")
    assert all(row["pinned"] and row["locale"] == "de-DE" for row in rows)
    found = {row["invoice_id"]: row["sha256"] for row in rows}
    assert len(found) == len(rows)
    files = {path.name for path in yard.blobs.rglob("*") if path.is_file() and "canary" not in str(path)}
    assert files == {f"{sha256}.pdf" for sha256 in found.values()}
    blobs = Blobs.open(yard.blobs)
    return {each: await blobs.get(f"{acme.workspace_id}/pdf/{sha256}.pdf") for each, sha256 in found.items()}


async def ended(running: programs.RunningProgram) -> int:
    """The exit code of a process that ends by itself."""
    return await asyncio.to_thread(running.process.wait, 20)


async def test_a_worker_that_is_killed_while_it_prints_loses_nothing_and_leaves_nobody_behind(
    yard: Any, acme: Business
) -> None:
    first = await printing(yard)
    invoice_id, job = await begun(yard, acme, first)
    family = below(first.process.pid)
    assert len(family) >= 3
    os.kill(first.process.pid, signal.SIGKILL)
    # A driver without its worker closes the browser, and kills it if need be; for a stopped renderer it waits 30 s.
    send(family, signal.SIGCONT)
    await gone(yard, family)
    await printing(yard)
    done = await yard.until("done", [job])
    assert done[job]["attempts"] == 2
    assert list(await pinned(acme, yard)) == [invoice_id]


def environment(pid: int) -> bytes:
    """The environment that a process was started with."""
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_chromium_is_told_no_secret(yard: Any) -> None:
    worker = await printing(yard)
    chromium = [
        pid for kind in ("browser", "zygote", "renderer") for pid in of_kind(worker.process.pid, kind)
    ]
    told = list(map(environment, chromium))
    assert any(b"PATH=" in each for each in told)
    assert not any(b"PORTAL_" in each for each in told)
    assert b"PORTAL_DATABASE_URL=" in environment(worker.process.pid)


async def test_browser_renderer_and_driver_killed_while_they_print_lose_no_print(
    yard: Any, acme: Business
) -> None:
    worker = await printing(yard)
    printed = []
    for victim in ("renderer", "browser", "driver"):
        invoice_id, job = await begun(yard, acme, worker)
        send(of_kind(worker.process.pid, victim), signal.SIGKILL)
        # The press tries once more by itself.
        assert (await yard.until("done", [job]))[job]["attempts"] == 1
        printed.append(invoice_id)
    assert set(await pinned(acme, yard)) == set(printed)
    assert worker.process.poll() is None
    assert status(worker) == 200
    assert sample(worker, "portal_press_ready_count") == 1
    assert sample(worker, "portal_press_failures_total", reason="crash") == 3
    assert sample(worker, "portal_press_browser_launches_total", reason="start") == 1
    assert sample(worker, "portal_press_browser_launches_total", reason="died") == 2
    # The canary's and three documents.
    assert sample(worker, "portal_press_render_seconds_count") == 4
    assert sample(worker, "portal_press_finish_seconds_count") == 3
    assert sample(worker, "portal_job_wait_seconds_count", queue=PDF_BULK_QUEUE) == 3
    assert sample(worker, "portal_job_attempts_total", kind=RenderVersion.kind, outcome="done") == 3
    assert sample(worker, "portal_press_slots_in_use_count") == 0


async def test_a_print_that_hangs_ends_at_its_deadline_gives_back_its_slot_and_is_tried_again(
    yard: Any, acme: Business
) -> None:
    worker = await printing(yard, PORTAL_JOB_SLOTS="1")
    invoice_id, job = await begun(yard, acme, worker, within_s=1)
    waiting = await yard.until("queued", [job])
    assert waiting[job]["attempts"] == 1
    assert "[press.deadline]" in waiting[job]["error"]
    assert sample(worker, "portal_press_failures_total", reason="deadline") == 1
    assert sample(worker, "portal_job_attempts_total", kind=RenderVersion.kind, outcome="retried") == 1
    # The only slot prints another's meanwhile.
    other = await acme.invoice()
    done = await yard.until("done", list(await yard.jobs()))
    assert done[job]["attempts"] == 2
    assert set(await pinned(acme, yard)) == {invoice_id, other}
    assert sample(worker, "portal_press_slots_in_use_count") == 0


async def test_a_browser_that_hangs_is_replaced(yard: Any, acme: Business) -> None:
    worker = await printing(yard)
    browser = of_kind(worker.process.pid, "browser")
    send(browser, signal.SIGSTOP)
    issued = [await acme.invoice() for _ in range(3)]
    async with yard.svc.unbound():
        await execute("UPDATE job SET payload = payload || '{\"within_s\": 2}'")
    jobs = await yard.until("done", list(await yard.jobs()))
    assert {"[press.deadline]" in row["error"] or row["attempts"] > 1 for row in jobs.values()} == {True}
    assert set(await pinned(acme, yard)) == set(issued)
    await gone(yard, browser)


async def test_a_worker_told_to_end_finishes_the_print_and_closes_the_browser(
    yard: Any, acme: Business
) -> None:
    worker = await printing(yard)
    invoice_id, job = await begun(yard, acme, worker)
    family = below(worker.process.pid)
    os.kill(worker.process.pid, signal.SIGTERM)
    await asyncio.sleep(0.5)
    assert worker.process.poll() is None
    send(family, signal.SIGCONT)
    assert await ended(worker) == 0
    assert (await yard.jobs())[job]["state"] == "done"
    assert list(await pinned(acme, yard)) == [invoice_id]
    assert alive(family) == []


async def test_a_worker_told_twice_gives_back_the_print_and_leaves_nobody_behind(
    yard: Any, acme: Business
) -> None:
    worker = await printing(yard, PORTAL_JOB_LEASE_S="60")
    invoice_id, job = await begun(yard, acme, worker)
    family = below(worker.process.pid)
    os.kill(worker.process.pid, signal.SIGTERM)
    await asyncio.sleep(0.3)
    os.kill(worker.process.pid, signal.SIGTERM)
    assert await ended(worker) == 0
    given_back = (await yard.jobs())[job]
    assert (given_back["state"], given_back["attempts"]) == ("queued", 0)
    await gone(yard, family)
    await printing(yard)
    await yard.until("done", [job])
    assert list(await pinned(acme, yard)) == [invoice_id]


async def test_a_print_that_kills_its_workers_is_given_up_said_to_who_asks_and_run_again_by_a_person(
    yard: Any, acme: Business
) -> None:
    workers = [await printing(yard), await printing(yard)]
    families = [below(worker.process.pid) for worker in workers]
    for family in families:
        send([pid for pid in family if pid in of_kind(os.getpid(), "renderer")], signal.SIGSTOP)
    invoice_id = await acme.invoice()
    async with yard.svc.unbound():
        await execute("UPDATE job SET max_attempts = 2")
    (job,) = await yard.jobs()

    async def one_prints() -> bool:
        return any(sample(worker, "portal_press_slots_in_use_count") for worker in workers)

    while workers:
        await yard.eventually(one_prints)
        (poisoned,) = (each for each in workers if sample(each, "portal_press_slots_in_use_count"))
        workers.remove(poisoned)
        poisoned.process.kill()
    send([pid for family in families for pid in family], signal.SIGCONT)
    dead = (await yard.until("dead", [job]))[job]
    assert (dead["attempts"], dead["error"]) == (2, "The worker that held it died each time, or was cut off.")
    with pytest.raises(Unavailable, match=r"pdf\.failed"):
        async with acme.database.scope(acme.workspace_id):
            await request_pdf(invoice_id, 1, "de-DE")
    await printing(yard)
    async with yard.svc.unbound():
        await replay(job)
    await yard.until("done", [job])
    assert list(await pinned(acme, yard)) == [invoice_id]


async def test_who_waits_goes_before_the_batch(yard: Any, acme: Business) -> None:
    batch = [await acme.invoice() for _ in range(40)]

    async def all_are_rung_for() -> bool:
        return all(row["dispatched_at"] for row in (await yard.jobs()).values())

    await yard.eventually(all_are_rung_for)
    await printing(yard, PORTAL_JOB_SLOTS="1")

    async def some_are_done() -> bool:
        return [row["state"] for row in (await yard.jobs()).values()].count("done") >= 2

    await yard.eventually(some_are_done)
    async with acme.database.scope(acme.workspace_id):
        expected = await request_pdf(batch[-1], 1, "en-GB")
    assert isinstance(expected, Expected)
    assert expected.is_failing is False
    (click,) = (key for key, row in (await yard.jobs()).items() if row["queue"] == PDF_QUEUE)
    mine = (await yard.until("done", [click]))[click]
    rest = [row for key, row in (await yard.jobs()).items() if key != click]
    # As many go before as are printed until the relay has looked and the one in work is done.
    overtaking = [
        row for row in rest if row["begun_at"] and mine["created_at"] < row["begun_at"] < mine["begun_at"]
    ]
    assert len(overtaking) <= 15
    assert len([row for row in rest if row["begun_at"] is None or row["begun_at"] > mine["begun_at"]]) >= 10


async def not_ready(yard: Any, worker: programs.RunningProgram) -> None:
    """Wait until a worker says that it is alive and cannot print."""

    async def said() -> bool:
        return (status(worker, "/healthz"), status(worker)) == (200, 503)

    await yard.eventually(said)


async def ready(yard: Any, worker: programs.RunningProgram) -> None:
    """Wait until a worker says that it can print."""

    async def said() -> bool:
        return status(worker) == 200

    await yard.eventually(said)


async def failing(yard: Any, job: UUID, code: str) -> None:
    """Wait until a job has failed for a reason and waits to be tried again."""

    async def failed() -> bool:
        row = (await yard.jobs())[job]
        return row["state"] == "queued" and row["attempts"] > 0 and f"[{code}]" in row["error"]

    await yard.eventually(failed)


async def hurry(yard: Any) -> None:
    """Let what failed be tried at once."""
    async with yard.svc.unbound():
        await execute("UPDATE job SET run_at = now() WHERE state = 'queued'")


async def test_without_a_chromium_a_worker_lives_does_the_rest_and_prints_once_there_is_one(
    yard: Any, acme: Business
) -> None:
    promised = yard.redis_state / "chromium"
    worker = await yard.start("worker", module="ops.cli", ready=False, PORTAL_CHROMIUM=str(promised))
    await not_ready(yard, worker)
    invoice_id = await acme.invoice()
    (print_job,) = await yard.jobs()
    await failing(yard, print_job, "press.no_chromium")
    async with acme.database.scope(acme.workspace_id):
        asked = await request_pdf(invoice_id, 1, "de-DE")
        other = await enqueue(ForgetReleasedDomains())
    assert isinstance(asked, Expected)
    assert asked.is_failing
    await yard.until("done", [other.job_id])
    assert sample(worker, "portal_press_ready_count") == 0
    async with async_playwright() as playwright:
        promised.symlink_to(find_chromium(playwright))
    await ready(yard, worker)
    await hurry(yard)
    await yard.until("done", [print_job])
    assert list(await pinned(acme, yard)) == [invoice_id]
    assert worker.process.poll() is None


async def test_a_worker_that_cannot_print_leaves_most_prints_to_one_that_can(
    yard: Any, acme: Business
) -> None:
    broken = await yard.start("worker", module="ops.cli", ready=False, PORTAL_CHROMIUM="/no/chromium")

    async def is_known() -> bool:
        return "press.not_ready" in services.tail(broken.log, 50)

    await yard.eventually(is_known)
    await printing(yard)
    for _ in range(30):
        await acme.invoice()

    async def most_are_done() -> bool:
        return [row["state"] for row in (await yard.jobs()).values()].count("done") >= 15

    await yard.eventually(most_are_done)
    # Failing at once, it would have had nearly all of them first.
    done = [row for row in (await yard.jobs()).values() if row["state"] == "done"]
    assert len([row for row in done if row["attempts"] == 1]) >= 12


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of a few hundred KiB and a few dozen files."""
    where = folder / "disk"
    where.mkdir()
    options = ["-t", "tmpfs", "-o", "size=768k,nr_inodes=64", "tmpfs", str(where)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        pytest.skip("only root, and not in every container, may mount a file system that is soon full")
    yield where
    subprocess.run(["umount", "--lazy", str(where)], check=True)


def fill(disk: Path) -> None:
    """Leave no room at all, for no byte and no file."""
    (disk / "filler").mkdir()
    with contextlib.suppress(OSError), (disk / "filler" / "data").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    with contextlib.suppress(OSError):
        for number in range(1000):
            (disk / "filler" / str(number)).touch()


def empty(disk: Path) -> None:
    """Take away what fills it."""
    shutil.rmtree(disk / "filler")


async def test_where_the_disk_of_the_blobs_is_full_nothing_is_half_stored_and_all_is_once_there_is_room(
    yard: Any, acme: Business, small_disk: Path
) -> None:
    blobs = small_disk / "blobs"
    worker = await printing(yard, PORTAL_BLOBS_URL=str(blobs))
    fill(small_disk)
    invoice_id = await acme.invoice()
    (job,) = await yard.jobs()
    await failing(yard, job, "blobs.unavailable")
    await not_ready(yard, worker)
    assert [path for path in blobs.rglob("*") if path.is_file()] == []
    assert await rows(acme) == []
    empty(small_disk)
    await ready(yard, worker)
    await hurry(yard)
    await yard.until("done", [job])
    assert [row["invoice_id"] for row in await rows(acme)] == [invoice_id]
    (stored,) = (path for path in blobs.rglob("*") if path.is_file())
    assert stored.read_bytes().startswith(b"%PDF-")
    assert worker.process.poll() is None


async def test_where_the_disk_of_chromium_is_full_it_is_said_and_printing_goes_on_once_there_is_room(
    yard: Any, acme: Business, small_disk: Path
) -> None:
    fill(small_disk)
    worker = await yard.start("worker", module="ops.cli", ready=False, TMPDIR=str(small_disk))
    await not_ready(yard, worker)
    invoice_id = await acme.invoice()
    (job,) = await yard.jobs()
    await failing(yard, job, "press.unavailable")
    empty(small_disk)
    await ready(yard, worker)
    await hurry(yard)
    await yard.until("done", [job])
    assert list(await pinned(acme, yard)) == [invoice_id]
    assert worker.process.poll() is None


async def rows(acme: Business) -> list[Any]:
    async with acme.database.scope(acme.workspace_id, read_only=True):
        return await fetch("SELECT * FROM invoice_pdf")


async def test_while_postgres_restarts_and_redis_dies_prints_are_late_and_not_lost(
    restartable: Any,
) -> None:
    yard = restartable.yard
    relay = await yard.start("relay")
    acme = await business(yard)
    worker = await printing(yard)
    held, _ = await begun(yard, acme, worker)
    issued = [held, *[await acme.invoice() for _ in range(5)]]
    yard.kill_redis()
    await restartable.stop()
    send(below(worker.process.pid), signal.SIGCONT)
    await asyncio.sleep(1.5)
    yard.start_redis()
    await restartable.start()
    await yard.until("done", list(await yard.jobs()))
    assert set(await pinned(acme, yard)) == set(issued)
    assert (relay.process.poll(), worker.process.poll()) == (None, None)
