"""Events stay in their workspace, and role app can neither change them nor read what has no place yet."""

from __future__ import annotations

import asyncpg
import pytest

from kernel.ids import new_id
from kernel.store import execute, fetch
from tenants.activity.actions import emit
from tenants.activity.queries import list_events, verify
from tests.fakes.event_log import Log, ShelfBuilt, place_all
from tests.fakes.sample_workspaces import SampleWorkspace

EMIT = """
INSERT INTO event_draft ({columns}) OVERRIDING SYSTEM VALUE
VALUES ($1, 'shelf.built', '{{}}', false, 'operator', 'x', '{{}}'{values})
"""
COLUMNS = "workspace_id, kind, payload, audit_only, actor_kind, actor_id, context"


async def test_another_workspaces_events_are_never_seen(log: Log, rival: SampleWorkspace) -> None:
    await log.write(1, 2)
    async with log.database.scope(rival.workspace_id, read_only=True):
        seen = await list_events(audit=True, kind="shelf.built")
        assert seen == ()
        assert await fetch("SELECT * FROM event WHERE workspace_id = $1", log.workspace_id) == []
        assert await fetch("SELECT * FROM event_head WHERE workspace_id = $1", log.workspace_id) == []
        assert await verify() == ()


async def test_a_draft_cannot_be_written_into_another_workspace(log: Log, rival: SampleWorkspace) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with log.database.scope(rival.workspace_id):
            await execute(EMIT.format(columns=COLUMNS, values=""), log.workspace_id)
    await place_all(log.svc)
    assert await log.load_rows() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET actor_id = 'x'",
        "DELETE FROM event",
        "TRUNCATE event",
        "INSERT INTO event SELECT * FROM event",
        "SELECT * FROM event_draft",
        "SELECT event_id FROM event_draft",
        "UPDATE event_draft SET actor_id = 'x'",
        "DELETE FROM event_draft",
        "UPDATE event_head SET place = 0",
        "DELETE FROM event_head",
        "INSERT INTO event_head (workspace_id, place) VALUES (app_workspace(), 9)",
    ],
)
async def test_app_may_not(log: Log, statement: str) -> None:
    await log.write(1)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with log.database.scope(log.workspace_id):
            await execute(statement)
    assert len(await log.load_rows()) == 1


@pytest.mark.parametrize(
    ("column", "value"), [("at", "now()"), ("entry", "1"), ("event_id", "gen_random_uuid()")]
)
async def test_app_may_not_choose(log: Log, column: str, value: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with log.database.scope(log.workspace_id):
            statement = EMIT.format(columns=f"{COLUMNS}, {column}", values=f", {value}")
            await execute(statement, log.workspace_id)


async def test_svc_may_not_change_an_event_either(log: Log) -> None:
    await log.write(1)
    for statement in ("UPDATE event SET actor_id = 'x'", "UPDATE event_draft SET actor_id = 'x'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with log.svc.unbound():
                await execute(statement)


async def test_what_a_stranger_emits_reaches_no_log(log: Log) -> None:
    stranger = new_id()
    async with log.database.scope(stranger):
        await emit(ShelfBuilt(number=1))
    await place_all(log.svc)
    async with log.svc.unbound():
        assert await fetch("SELECT * FROM event WHERE workspace_id = $1", stranger) == []
        assert await execute("DELETE FROM event_draft WHERE workspace_id = $1", stranger) == "DELETE 1"
