"""Waiting for a PDF: one query for all who wait, bounded, ended by drain and by clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from kernel.blobs import Blobs
from kernel.errors import Unavailable
from kernel.store import Database, execute, fetch
from kernel.telemetry.metrics import Metrics
from tenants.invoices.jobs import PDF_QUEUE, RenderPdf
from tenants.invoices.values import Pdf, PendingPdf
from web.http.bodies import ClientDisconnected
from web.portal.pdf_waiter import PdfKey, PdfWaiter

PATIENCE_S = 10

pytestmark = pytest.mark.usefixtures("rendering_worker")


class CountingDatabase:
    """A database that counts the units of work that are opened, writing and reading ones."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.written = self.read = 0

    def scope(self, workspace_id: Any, *, read_only: bool = False) -> Any:
        self.read += read_only
        self.written += not read_only
        return self.database.scope(workspace_id, read_only=read_only)


def key_of(tenant: Any) -> PdfKey:
    return PdfKey(tenant.profile.workspace_id, tenant.invoice_id, 1, "en-US")


def is_soon(found: Pdf | PendingPdf) -> bool:
    return isinstance(found, PendingPdf) and found.after_s <= PATIENCE_S and not found.code


@pytest.fixture
def counting_database(database: Database) -> CountingDatabase:
    return CountingDatabase(database)


MakeWaiter = Callable[..., PdfWaiter]


@pytest.fixture
async def make_waiter(counting_database: Any, blobs: Blobs) -> AsyncIterator[MakeWaiter]:
    made: list[PdfWaiter] = []

    def make(**bounds: Any) -> PdfWaiter:
        made.append(PdfWaiter(counting_database, blobs, bounds.pop("metrics", Metrics()), **bounds))
        return made[-1]

    yield make
    for waiter in made:
        waiter.drain()


async def jobs(tenant: Any, database: Database) -> list[tuple[str, str]]:
    async with database.scope(tenant.profile.workspace_id, read_only=True):
        rows = await fetch("SELECT queue, state FROM job WHERE kind = $1", RenderPdf.kind)
    return [(row["queue"], row["state"]) for row in rows]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110  -- nothing tells of it
            await asyncio.sleep(0.01)


async def test_five_hundred_who_wait_cost_the_queries_of_one(
    make_waiter: MakeWaiter, counting_database: CountingDatabase, acme: Any, add_pdf: Any, database: Database
) -> None:
    metrics = Metrics()
    waiter = make_waiter(metrics=metrics)
    waiting = [asyncio.create_task(waiter.request_and_wait(key_of(acme))) for _ in range(500)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 500)
    data = await add_pdf(acme)
    found = await asyncio.gather(*waiting)
    assert {pdf.size if isinstance(pdf, Pdf) else pdf for pdf in found} == {len(data)}
    assert counting_database.written == 1
    # One task polls, at most ten times a second; for one request it would have polled as often.
    assert counting_database.read < 100
    assert await jobs(acme, database) == [(PDF_QUEUE, "queued")]
    assert metrics.registry.get_sample_value("portal_pdf_wait_seconds_count") == 500
    assert metrics.registry.get_sample_value("portal_pdf_waiting_count") == 0


async def test_no_connection_is_held_while_waiting(
    make_waiter: MakeWaiter, acme: Any, add_pdf: Any, database: Database
) -> None:
    waiter = make_waiter()
    waiting = asyncio.create_task(waiter.request_and_wait(key_of(acme)))
    idle = 0
    for _ in range(50):
        await asyncio.sleep(0.01)
        idle += database.in_use == 0
    assert idle > 25
    await add_pdf(acme)
    assert isinstance(await waiting, Pdf)


async def test_the_longest_wait_ends_with_when_to_ask_again(make_waiter: MakeWaiter, acme: Any) -> None:
    assert is_soon(await make_waiter(longest_wait_s=3).request_and_wait(key_of(acme)))


async def test_a_pdf_that_will_take_longer_than_the_longest_wait_is_not_waited_for(
    make_waiter: MakeWaiter, acme: Any, database: Database
) -> None:
    metrics = Metrics()
    waiter = make_waiter(metrics=metrics)
    async with database.scope(acme.profile.workspace_id):
        await execute(
            "UPDATE job SET attempts = 1, run_at = now() + interval '90 seconds' WHERE kind = $1",
            RenderPdf.kind,
        )
        await execute("DELETE FROM job_worker")
    found = await waiter.request_and_wait(key_of(acme))
    assert isinstance(found, PendingPdf)
    assert found.code == "pdf.unavailable"
    assert 85 <= found.after_s <= 95
    assert metrics.registry.get_sample_value("portal_pdf_wait_seconds_count") == 0


async def test_beyond_the_bounds_nobody_waits(
    make_waiter: MakeWaiter, tenants: Any, acme: Any, add_pdf: Any
) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    metrics = Metrics()
    waiter = make_waiter(most_waiting=2, metrics=metrics)
    waiting = [asyncio.create_task(waiter.request_and_wait(key_of(acme))) for _ in range(2)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 2)
    assert is_soon(await waiter.request_and_wait(key_of(acme)))
    await add_pdf(acme)
    assert {type(pdf) for pdf in await asyncio.gather(*waiting)} == {Pdf}
    few = make_waiter(most_pdfs=1, metrics=metrics)
    first = asyncio.create_task(few.request_and_wait(key_of(bolt), is_lost=True))
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 1)
    assert is_soon(await few.request_and_wait(key_of(acme), is_lost=True))
    await add_pdf(bolt)
    assert isinstance(await first, Pdf)


async def test_when_nobody_waits_any_more_nothing_is_polled(
    make_waiter: MakeWaiter, counting_database: CountingDatabase, acme: Any
) -> None:
    metrics = Metrics()
    waiter = make_waiter(metrics=metrics)
    waiting = [asyncio.create_task(waiter.request_and_wait(key_of(acme))) for _ in range(3)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 3)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert metrics.registry.get_sample_value("portal_pdf_waiting_count") == 0
    queries = counting_database.read
    await asyncio.sleep(0.6)
    assert counting_database.read == queries


async def test_a_client_that_leaves_does_not_end_the_wait_of_others(
    make_waiter: MakeWaiter, acme: Any, add_pdf: Any
) -> None:
    metrics = Metrics()
    waiter = make_waiter(metrics=metrics)
    leaving, staying = [asyncio.create_task(waiter.request_and_wait(key_of(acme))) for _ in range(2)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 2)
    leaving.cancel()
    await add_pdf(acme)
    assert isinstance(await staying, Pdf)


async def test_when_the_process_ends_all_who_wait_are_answered(make_waiter: MakeWaiter, acme: Any) -> None:
    metrics = Metrics()
    waiter = make_waiter(longest_wait_s=600, metrics=metrics)
    waiting = [asyncio.create_task(waiter.request_and_wait(key_of(acme))) for _ in range(20)]
    await until(lambda: metrics.registry.get_sample_value("portal_pdf_waiting_count") == 20)
    waiter.drain()
    async with asyncio.timeout(PATIENCE_S):
        assert all(map(is_soon, await asyncio.gather(*waiting)))
        # And whoever still comes.
        assert is_soon(await waiter.request_and_wait(key_of(acme)))


async def test_a_lost_blob_is_rendered_again_and_waited_for(
    make_waiter: MakeWaiter, acme: Any, *, add_pdf: Any, blobs: Blobs, database: Database
) -> None:
    data = await add_pdf(acme)
    waiter = make_waiter()
    found = await waiter.request_and_wait(key_of(acme))
    assert isinstance(found, Pdf)
    await blobs.delete(found.key)
    waiting = asyncio.create_task(waiter.request_and_wait(key_of(acme), is_lost=True))
    await until(lambda: waiter._waiting == 1)
    assert await jobs(acme, database) == [(PDF_QUEUE, "queued")]
    await blobs.put(found.key, data)
    assert await waiting == found


class BrieflyAwayBlobs:
    """A store of blobs that is away at first."""

    def __init__(self, blobs: Blobs, failures: int) -> None:
        self.blobs = blobs
        self.failures = failures

    async def size(self, key: str) -> int:
        self.failures -= 1
        if self.failures >= 0:
            raise Unavailable("blobs.unavailable", "The store of blobs does not answer.")
        return await self.blobs.size(key)


async def test_a_store_that_is_away_for_a_moment_ends_no_wait(
    database: Database, blobs: Blobs, acme: Any, add_pdf: Any
) -> None:
    away = BrieflyAwayBlobs(blobs, 2)
    blob_store: Any = away
    waiter = PdfWaiter(database, blob_store, Metrics())
    waiting = asyncio.create_task(waiter.request_and_wait(key_of(acme)))
    await until(lambda: waiter._waiting == 1)
    await add_pdf(acme)
    assert isinstance(await waiting, Pdf)
    assert away.failures < 0


class Client:
    """A client's request as far as its connection goes: it hangs up when it is told to."""

    def __init__(self) -> None:
        self.hung_up = asyncio.Event()
        self.received = 0

    async def receive(self) -> Any:
        self.received += 1
        if self.received == 1:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.hung_up.wait()
        return {"type": "http.disconnect"}


async def test_a_client_that_hangs_up_ends_its_wait(
    make_waiter: MakeWaiter, counting_database: CountingDatabase, acme: Any
) -> None:
    waiter, client = make_waiter(longest_wait_s=600), Client()
    request: Any = client
    waiting = asyncio.create_task(waiter.wait(request, key_of(acme), is_lost=False))
    await until(lambda: waiter._waiting == 1)
    client.hung_up.set()
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ClientDisconnected):
            await waiting
    assert (waiter._waiting, len(waiter._polls), len(waiter._requests)) == (0, 0, 0)
    queries = counting_database.read
    await asyncio.sleep(0.6)
    assert counting_database.read == queries


async def test_a_client_that_stays_gets_the_pdf_and_is_listened_to_no_longer(
    make_waiter: MakeWaiter, acme: Any, add_pdf: Any
) -> None:
    waiter, client = make_waiter(), Client()
    request: Any = client
    waiting = asyncio.create_task(waiter.wait(request, key_of(acme), is_lost=False))
    await until(lambda: waiter._waiting == 1)
    data = await add_pdf(acme)
    found = await waiting
    assert isinstance(found, Pdf)
    assert found.size == len(data)
    client.hung_up.set()
    await asyncio.sleep(0)
    assert (client.received, waiter._waiting, len(waiter._polls)) == (2, 0, 0)


async def test_an_error_of_the_store_ends_the_wait_with_that_error(blobs: Blobs, acme: Any) -> None:
    class BusyDatabase:
        def scope(self, *_args: Any, **_words: Any) -> Any:
            raise Unavailable("pdf.busy", "Too many wait.")

    database, request = (BusyDatabase(), Client())
    waiter = PdfWaiter(cast("Any", database), blobs, Metrics())
    with pytest.raises(Unavailable) as caught:
        await waiter.wait(cast("Any", request), key_of(acme), is_lost=False)
    assert caught.value.code == "pdf.busy"
    assert (waiter._waiting, len(waiter._requests)) == (0, 0)
