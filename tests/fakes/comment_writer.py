"""A program that writes a comment, says how far it is, and waits there until it is killed."""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

from kernel.clock import SystemClock
from kernel.store import Database
from tenants.comments.actions import post_comment
from tenants.ids import InvoiceId
from tests.conftest import OPERATOR
from tests.fakes.sample_threads import ANA


async def stop_at(reached: str, wanted: str) -> None:
    """Print a word and wait for ever, where the caller wants it."""
    if reached == wanted:
        print(reached, flush=True)  # noqa: T201  -- the test reads it
        await asyncio.Event().wait()


async def write(url: str, workspace_id: UUID, invoice_id: InvoiceId, client_id: str, wanted: str) -> None:
    """Write a comment in one unit of work, and stop before or after its commit."""
    database = await Database.open(url, size=1, name="comment writer", actor=OPERATOR)
    async with database.scope(workspace_id):
        await post_comment(invoice_id, ANA, "Hello", client_id=client_id, clock=SystemClock())
        await stop_at("written", wanted)
    await stop_at("committed", wanted)


if __name__ == "__main__":
    url, workspace, invoice, client, point = sys.argv[1:]
    asyncio.run(write(url, UUID(workspace), InvoiceId(UUID(invoice)), client, point))
