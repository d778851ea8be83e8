"""Reads of threads that people wait for: each table is reached by its whole key, among thousands of rows."""

from __future__ import annotations

import json

import asyncpg
import pytest

from kernel.ids import new_id
from kernel.store import execute, fetch_value
from tenants.comments.queries import (
    _COUNT_UNREAD,
    _LIST_THREADS,
    _SELECT_THREAD,
    _SELECT_UNNOTIFIED,
)
from tests.fakes.large_workspaces import find_scans
from tests.fakes.sample_workspaces import SampleWorkspace

THREADS = """
INSERT INTO thread (workspace_id, invoice_id, posted_at)
SELECT workspace_id, invoice_id, now() - random() * interval '1 day' FROM invoice WHERE workspace_id = $1
"""
STREAMS = """
INSERT INTO live_stream (workspace_id, stream_id) SELECT workspace_id, invoice_id FROM thread WHERE workspace_id = $1
"""
COMMENTS = """
INSERT INTO comment (workspace_id, comment_id, invoice_id, client_id, side, author_name, body, staff_seq, public_seq)
SELECT workspace_id, gen_random_uuid(), invoice_id, 'client-' || n, 'customer', 'Ana', 'Hello', n, n
FROM thread, generate_series(1, 3) n WHERE workspace_id = $1
"""


@pytest.fixture
async def busy_workspace(large_workspace: SampleWorkspace, owner_url: str) -> SampleWorkspace:
    """A workspace with a thread on each of thousands of invoices."""
    async with large_workspace.database.scope(large_workspace.workspace_id):
        await execute(THREADS, large_workspace.workspace_id)
        await execute(STREAMS, large_workspace.workspace_id)
        await execute(COMMENTS, large_workspace.workspace_id)
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("ANALYZE thread, comment, live_stream")
    finally:
        await owner.close()
    return large_workspace


async def test_threads_are_read_by_whole_keys_among_thousands(busy_workspace: SampleWorkspace) -> None:
    workspace_id, unknown_id = busy_workspace.workspace_id, new_id()
    asked = {
        _SELECT_THREAD: ("uuid, uuid", f"'{workspace_id}', '{unknown_id}'"),
        _COUNT_UNREAD: ("uuid, uuid[]", f"'{workspace_id}', ARRAY['{unknown_id}'::uuid]"),
        _SELECT_UNNOTIFIED: ("uuid, uuid, text", f"'{workspace_id}', '{unknown_id}', 'staff'"),
    }
    async with busy_workspace.database.scope(workspace_id):
        assert await fetch_value("SHOW plan_cache_mode") == "force_generic_plan"
        for sql, (types, values) in asked.items():
            await execute(f"PREPARE asking ({types}) AS {sql}")
            plan = json.loads(await fetch_value(f"EXPLAIN (FORMAT JSON) EXECUTE asking ({values})"))
            await execute("DEALLOCATE asking")
            scans = find_scans(plan[0]["Plan"])
            assert "thread" in scans
            for table, (index, condition) in scans.items():
                key = "stream_id" if table == "live_stream" else "invoice_id"
                assert "workspace_id" in condition, (table, index, condition)
                assert f"{key} = " in condition, (table, index, condition)


async def test_a_late_page_of_the_staffs_list_begins_by_the_index(busy_workspace: SampleWorkspace) -> None:
    workspace_id = busy_workspace.workspace_id
    async with busy_workspace.database.scope(workspace_id):
        await execute("SET LOCAL plan_cache_mode = force_custom_plan")
        await execute(f"PREPARE listing (uuid, boolean, bigint, timestamptz, uuid) AS {_LIST_THREADS}")
        values = f"'{workspace_id}', false, 100, now() - interval '12 hours', '{new_id()}'"
        plan = json.loads(await fetch_value(f"EXPLAIN (FORMAT JSON) EXECUTE listing ({values})"))
        await execute("DEALLOCATE listing")
    scans = find_scans(plan[0]["Plan"])
    assert scans["thread"][0] == "thread_newest"
    assert "ROW(posted_at, invoice_id) < ROW(" in scans["thread"][1]
    assert scans["invoice"][0] == "invoice_pkey"
    assert "invoice_id = " in scans["comment"][1]
    assert "Sort" not in json.dumps(plan)
