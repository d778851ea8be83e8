"""A process that is killed while it writes a comment: sent again, the comment is stored once."""

from __future__ import annotations

import asyncio
import sys

import pytest

from kernel import live
from kernel.clock import SystemClock
from kernel.ids import new_nonce
from kernel.live import Audience
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from tests.fakes.sample_threads import BEN, load, post, write
from tests.fakes.sample_workspaces import create_sample_workspace

TIMEOUT_S = 45.0


@pytest.mark.parametrize("point", ["written", "committed"])
async def test_a_comment_of_a_killed_process_is_stored_once(
    database: Database, settings: Settings, point: str
) -> None:
    workspace = await create_sample_workspace(database, Sealer(settings.secret_keys), SystemClock())
    invoice_id, client_id = await workspace.issue_invoice(), new_nonce()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "tests.fakes.comment_writer",
        settings.database_url,
        str(workspace.workspace_id),
        str(invoice_id),
        client_id,
        point,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert await asyncio.wait_for(process.stdout.readline(), TIMEOUT_S) == f"{point}\n".encode()
    finally:
        process.kill()
        await process.wait()
    # Waits for the locks of the killed process, if Postgres still holds them.
    again = await post(workspace, invoice_id, client_id=client_id)
    assert again.is_new is (point == "written")
    assert (await load(workspace, invoice_id)).comments == (again.comment,)
    assert (await write(workspace, invoice_id, BEN)).public_seq == 2
    async with database.scope(workspace.workspace_id, read_only=True):
        events = await live.read_events(invoice_id, Audience.STAFF, 0)
    assert [(event.seq, event.kind) for event in events] == [(1, "comment.posted"), (2, "comment.posted")]
