"""The statements that count, find and list read by whole keys among thousands of rows."""

from __future__ import annotations

import json
from typing import Any

import asyncpg

from kernel.store import execute, fetch_one, fetch_value
from tenants.access import queries
from tenants.access.actions import authenticators, codes, sessions
from tests.fakes.sample_workspaces import SampleWorkspace

MANY = 2_000
FILL = (
    """
    INSERT INTO one_time_code (workspace_id, code_id, purpose, target, browser_hash, contacts_only, expires_at)
    SELECT $1, gen_random_uuid(), 'sign_in', 'p' || n || '@x.example', sha256('b'), true, now() + interval '10 minutes'
    FROM generate_series(1, $2::int) n
    """,
    """
    INSERT INTO session (workspace_id, session_id, reference_hash, subject_kind, subject_id, browser_hash, expires_at)
    SELECT $1, gen_random_uuid(), sha256(n::text::bytea), 'address', 'p' || n || '@x.example', sha256(n::text::bytea),
           now() + interval '90 days'
    FROM generate_series(1, $2::int) n
    """,
    """
    INSERT INTO authenticator (workspace_id, authenticator_id, subject_kind, subject_id, secret_sealed, salt,
                               browser_hash)
    SELECT $1, gen_random_uuid(), 'address', 'p' || n || '@x.example', '', decode(repeat('00', 16), 'hex'), ''
    FROM generate_series(1, $2::int) n
    """,
    """
    INSERT INTO recovery_code (workspace_id, authenticator_id, code_hash)
    SELECT workspace_id, authenticator_id, sha256('r') FROM authenticator WHERE workspace_id = $1 AND $2::int > 0
    """,
)
ID = "'00000000-0000-4000-8000-000000000001'"
SUBJECT = "'address', 'p77@x.example'"
HASH = "sha256('77')"
SUBJECT_KEY = ("subject_kind", "subject_id")
# Each with arguments, and with the columns beside the workspace's by which it finds its rows.
STATEMENTS = {
    "wait": (codes._COMPUTE_WAIT, "'p77@x.example'", ("target", "created_at")),
    "count a code": (
        codes._COUNT_ATTEMPT,
        f"'p77@x.example', 'sign_in', {HASH}, 5",
        ("target",),
        ("code_id",),
    ),
    "end the earlier session": (sessions._END_EARLIER, HASH, ("browser_hash",)),
    "find the replaced": (
        sessions._FIND_REPLACED,
        f"{ID}, '5 minutes'",
        ("session_id",),
        SUBJECT_KEY,
    ),
    "revoke the others": (sessions._REVOKE_OTHERS, f"{ID}, {SUBJECT}, '14 days'", SUBJECT_KEY),
    "count an authenticator's code": (
        authenticators._COUNT_ATTEMPT,
        f"{SUBJECT}, false, '5 minutes', 5",
        SUBJECT_KEY,
    ),
    "list sessions": (queries._LIST_SESSIONS, f"{SUBJECT}, '14 days'", SUBJECT_KEY),
    "find an authenticator": (queries._FIND_AUTHENTICATOR, SUBJECT, SUBJECT_KEY, ("authenticator_id",)),
}
READ = "SELECT seq_tup_read + idx_tup_fetch AS rows FROM pg_stat_xact_user_tables WHERE relname = 'session'"
OPEN = "SELECT * FROM open_session($1, ARRAY[sha256('77')], '14 days')"


def list_conditions(node: dict[str, Any]) -> list[str]:
    """Return the condition of each scan of a table in a plan, "nothing" without an index."""
    own = (
        [node.get("Index Cond", "nothing")]
        if "Relation Name" in node and node["Node Type"] != "ModifyTable"
        else []
    )
    return own + [condition for inner in node.get("Plans", []) for condition in list_conditions(inner)]


async def fill(workspace: SampleWorkspace, owner_url: str) -> None:
    async with workspace.database.scope(workspace.workspace_id):
        for statement in FILL:
            await execute(statement, workspace.workspace_id, MANY)
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("ANALYZE one_time_code, session, authenticator, recovery_code")
    finally:
        await owner.close()


async def test_every_statement_finds_its_rows_by_whole_keys(acme: SampleWorkspace, owner_url: str) -> None:
    await fill(acme, owner_url)
    plans = {}
    async with acme.database.scope(acme.workspace_id):
        assert await fetch_value("SHOW plan_cache_mode") == "force_generic_plan"
        for name, (sql, arguments, *_) in STATEMENTS.items():
            await execute(f"PREPARE asked AS {sql}")
            asked = f"EXECUTE asked ('{acme.workspace_id}', {arguments})"
            plans[name] = json.loads(await fetch_value(f"EXPLAIN (FORMAT JSON) {asked}"))[0]["Plan"]
            await execute("DEALLOCATE asked")
    for name, (_, _, *keys) in STATEMENTS.items():
        conditions = list_conditions(plans[name])
        assert len(conditions) == len(keys), (name, conditions)
        for condition, key in zip(conditions, keys, strict=True):
            assert all(column in condition for column in ("workspace_id", *key)), (name, conditions)


async def test_a_session_is_found_by_reading_one_row(acme: SampleWorkspace, owner_url: str) -> None:
    await fill(acme, owner_url)
    async with acme.database.scope(acme.workspace_id):
        before = await fetch_value(READ)
        row = await fetch_one(OPEN, acme.workspace_id)
        after = await fetch_value(READ)
    assert row["subject_id"] == "p77@x.example"
    assert after - before == 1
