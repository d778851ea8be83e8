"""The wait for a PDF: one who asks for all, bounded, ended by what ends it, and told to the customer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kernel.blobs import Blobs
from kernel.errors import Unavailable
from kernel.store import Database, execute, fetch
from kernel.telemetry.metrics import Metrics
from tenants.invoices.actions.pdfs import Expected
from tenants.invoices.jobs import PDF_QUEUE, RenderVersion
from tenants.invoices.pdfs import Pdf
from web.http.bodies import ClientGone
from web.portal.pdf_waiter import Waits, Wanted, unless_gone

PATIENCE_S = 10

pytestmark = pytest.mark.usefixtures("press")


class Counting:
    """A database that counts the units of work that are opened, writing and reading ones."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.written = self.read = 0

    def scope(self, workspace_id: Any, *, read_only: bool = False) -> Any:
        self.read += read_only
        self.written += not read_only
        return self.database.scope(workspace_id, read_only=read_only)


def wanted(tenant: Any, *, is_lost: bool = False) -> Wanted:
    return Wanted(tenant.profile.workspace_id, tenant.invoice_id, 1, "en-US", is_lost)


def is_soon(found: Pdf | Expected) -> bool:
    return isinstance(found, Expected) and found.after_s <= PATIENCE_S and not found.is_failing


@pytest.fixture
def counted(database: Database) -> Counting:
    return Counting(database)


Make = Callable[..., Waits]


@pytest.fixture
async def make_waits(counted: Any, blobs: Blobs) -> AsyncIterator[Make]:
    made: list[Waits] = []

    def make(**bounds: Any) -> Waits:
        made.append(Waits(counted, blobs, bounds.pop("metrics", Metrics()), **bounds))
        return made[-1]

    yield make
    for waits in made:
        waits.drain()


async def jobs(tenant: Any, database: Database) -> list[tuple[str, str]]:
    async with database.scope(tenant.profile.workspace_id, read_only=True):
        rows = await fetch("SELECT queue, state FROM job WHERE kind = $1", RenderVersion.kind)
    return [(row["queue"], row["state"]) for row in rows]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110  -- nothing tells of it
            await asyncio.sleep(0.01)


async def test_five_hundred_who_wait_cost_one_who_asks(
    make_waits: Make, counted: Counting, acme: Any, printed: Any, database: Database
) -> None:
    metrics = Metrics()
    waits = make_waits(metrics=metrics)
    waiting = [asyncio.create_task(waits.made(wanted(acme))) for _ in range(500)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 500)
    data = await printed(acme)
    found = await asyncio.gather(*waiting)
    assert {pdf.size if isinstance(pdf, Pdf) else pdf for pdf in found} == {len(data)}
    assert counted.written == 1
    # One looks, at most ten times a second; alone, somebody would have looked as often.
    assert counted.read < 100
    assert await jobs(acme, database) == [(PDF_QUEUE, "queued")]
    assert metrics.registry.get_sample_value("portal_pdf_wait_seconds_count") == 500
    assert metrics.registry.get_sample_value("portal_pdf_waiting_count") == 0


async def test_nobody_holds_a_connection_while_waiting(
    make_waits: Make, acme: Any, printed: Any, database: Database
) -> None:
    waits = make_waits()
    waiting = asyncio.create_task(waits.made(wanted(acme)))
    idle = 0
    for _ in range(50):
        await asyncio.sleep(0.01)
        idle += database.in_use == 0
    assert idle > 25
    await printed(acme)
    assert isinstance(await waiting, Pdf)


async def test_patience_ends_and_says_when_to_come_back(make_waits: Make, acme: Any) -> None:
    assert is_soon(await make_waits(patience_s=3).made(wanted(acme)))


async def test_what_will_take_longer_than_patience_is_not_waited_for(
    make_waits: Make, acme: Any, database: Database
) -> None:
    metrics = Metrics()
    waits = make_waits(metrics=metrics)
    async with database.scope(acme.profile.workspace_id):
        await execute(
            "UPDATE job SET attempts = 1, run_at = now() + interval '90 seconds' WHERE kind = $1",
            RenderVersion.kind,
        )
        await execute("DELETE FROM job_worker")
    found = await waits.made(wanted(acme))
    assert isinstance(found, Expected)
    assert found.is_failing
    assert 85 <= found.after_s <= 95
    assert metrics.registry.get_sample_value("portal_pdf_wait_seconds_count") == 0


async def test_beyond_the_bounds_all_are_answered_at_once(
    make_waits: Make, tenants: Any, acme: Any, printed: Any
) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    metrics = Metrics()
    waits = make_waits(most=2, metrics=metrics)
    waiting = [asyncio.create_task(waits.made(wanted(acme))) for _ in range(2)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 2)
    assert is_soon(await waits.made(wanted(acme)))
    await printed(acme)
    assert {type(pdf) for pdf in await asyncio.gather(*waiting)} == {Pdf}
    few = make_waits(most_pdfs=1, metrics=metrics)
    first = asyncio.create_task(few.made(wanted(bolt, is_lost=True)))
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 1)
    assert is_soon(await few.made(wanted(acme, is_lost=True)))
    await printed(bolt)
    assert isinstance(await first, Pdf)


async def test_when_nobody_waits_any_more_nobody_looks(
    make_waits: Make, counted: Counting, acme: Any
) -> None:
    metrics = Metrics()
    waits = make_waits(metrics=metrics)
    waiting = [asyncio.create_task(waits.made(wanted(acme))) for _ in range(3)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 3)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert metrics.registry.get_sample_value("portal_pdf_waiting_count") == 0
    looks = counted.read
    await asyncio.sleep(0.6)
    assert counted.read == looks


async def test_one_who_leaves_does_not_end_the_wait_of_others(
    make_waits: Make, acme: Any, printed: Any
) -> None:
    metrics = Metrics()
    waits = make_waits(metrics=metrics)
    leaving, staying = [asyncio.create_task(waits.made(wanted(acme))) for _ in range(2)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 2)
    leaving.cancel()
    await printed(acme)
    assert isinstance(await staying, Pdf)


async def test_at_the_end_all_who_wait_are_answered(make_waits: Make, acme: Any) -> None:
    metrics = Metrics()
    waits = make_waits(patience_s=600, metrics=metrics)
    waiting = [asyncio.create_task(waits.made(wanted(acme))) for _ in range(20)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 20)
    waits.drain()
    async with asyncio.timeout(PATIENCE_S):
        assert all(map(is_soon, await asyncio.gather(*waiting)))
        # And whoever still comes.
        assert is_soon(await waits.made(wanted(acme)))


async def test_a_lost_blob_is_printed_again_and_waited_for(
    make_waits: Make, acme: Any, *, printed: Any, blobs: Blobs, database: Database
) -> None:
    data = await printed(acme)
    waits = make_waits()
    found = await waits.made(wanted(acme))
    assert isinstance(found, Pdf)
    await blobs.delete(found.key)
    waiting = asyncio.create_task(waits.made(wanted(acme, is_lost=True)))
    await until(lambda: waits._waiting == 1)
    assert await jobs(acme, database) == [(PDF_QUEUE, "queued")]
    await blobs.put(found.key, data)
    assert await waiting == found


class Flickering:
    """A store of blobs that is away at first."""

    def __init__(self, blobs: Blobs, failures: int) -> None:
        self.blobs = blobs
        self.failures = failures

    async def size(self, key: str) -> int:
        self.failures -= 1
        if self.failures >= 0:
            raise Unavailable("blobs.unavailable", "The store of blobs does not answer.")
        return await self.blobs.size(key)


async def test_what_is_away_for_a_moment_ends_no_wait(
    database: Database, blobs: Blobs, acme: Any, printed: Any
) -> None:
    flickering = Flickering(blobs, 2)
    kept_in: Any = flickering
    waits = Waits(database, kept_in, Metrics())
    waiting = asyncio.create_task(waits.made(wanted(acme)))
    await until(lambda: waits._waiting == 1)
    await printed(acme)
    assert isinstance(await waiting, Pdf)
    assert flickering.failures < 0


async def test_a_client_that_hangs_up_ends_its_wait() -> None:
    hung_up, ended = asyncio.Event(), asyncio.Event()

    async def receive() -> Any:
        if not hung_up.is_set():
            await hung_up.wait()
            return {"type": "http.request", "body": b""}
        return {"type": "http.disconnect"}

    async def work() -> None:
        try:
            hung_up.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ClientGone):
        await unless_gone(receive, work())
    assert ended.is_set()


async def test_work_that_fails_fails() -> None:
    async def work() -> None:
        raise Unavailable("pdf.busy", "Too many wait.")

    async def receive() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(Unavailable):
        await unless_gone(receive, work())
