"""Prints through real workers when things die under them: none is lost, none is done twice, and it is said in time."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.blobs import Blobs
from kernel.clock import SystemClock
from kernel.seals import Sealer
from kernel.store import fetch
from tests.fakes.businesses import Business, open_business


@pytest.fixture
async def acme(yard: Any) -> Business:
    """A business in the yard."""
    return await open_business(yard.database, Sealer((("test", bytes(range(32))),)), SystemClock())


async def test_what_is_issued_is_printed_by_a_worker(yard: Any, acme: Business) -> None:
    await yard.start("relay")
    invoice_id = await acme.invoice()
    await yard.start("worker", module="ops.cli")
    (job,) = await yard.jobs()
    await yard.until("done", [job])
    async with acme.database.scope(acme.workspace_id):
        (row,) = await fetch("SELECT * FROM invoice_pdf")
    assert (row["invoice_id"], row["pinned"], row["locale"]) == (invoice_id, True, "de-DE")
    data = await Blobs.open(yard.blobs).get(f"{acme.workspace_id}/pdf/{row['sha256']}.pdf")
    assert data.startswith(b"%PDF-")
