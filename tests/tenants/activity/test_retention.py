"""Retention removes the beginning of a log; what is left can still be verified."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest

from kernel.clock import FixedClock
from kernel.store import fetch_value
from kernel.store.pool import Connection
from tenants.activity.actions import RETENTION, prune_events
from tenants.activity.queries import Fault, FaultKind
from tests.conftest import NOW
from tests.fakes.event_log import Log
from tests.fakes.sample_workspaces import SampleWorkspace

LATER = FixedClock(NOW + timedelta(days=100_000))


async def move_back_in_time(tamperer: Connection, log: Log, count: int, by: timedelta) -> None:
    """Let the first events of a log have happened earlier, with a sound chain."""
    await tamperer.execute(
        "UPDATE event SET at = at - $3::interval WHERE workspace_id = $1 AND place <= $2",
        log.workspace_id,
        log.base + count,
        by,
    )
    await tamperer.execute(
        """WITH anew AS (
               SELECT place, event_chain(start.hash, event_content(workspace_id, place, event_id, kind, payload,
                   audit_only, actor_kind, actor_id, context, at)) OVER (ORDER BY place) AS hash, start.hash AS first
               FROM event, (SELECT floor_hash AS hash FROM event_head WHERE workspace_id = $1) start
               WHERE workspace_id = $1
           ), linked AS (SELECT place, hash, lag(hash, 1, first) OVER (ORDER BY place) AS previous_hash FROM anew),
           head AS (
               UPDATE event_head SET hash = (SELECT hash FROM linked ORDER BY place DESC LIMIT 1)
               WHERE workspace_id = $1)
           UPDATE event SET hash = linked.hash, previous_hash = linked.previous_hash
           FROM linked WHERE event.workspace_id = $1 AND event.place = linked.place""",
        log.workspace_id,
    )


async def prune(log: Log, clock: FixedClock) -> int:
    async with log.database.scope(log.workspace_id):
        return await prune_events(clock=clock)


async def test_events_older_than_the_retention_go_and_the_rest_verifies(
    log: Log, tamperer: Connection
) -> None:
    await log.write(1, 2, 3, 4)
    await move_back_in_time(tamperer, log, 2, RETENTION)
    assert await log.verify() == ()
    third = (await log.load_rows())[1]
    clock = FixedClock((await log.load_rows())[3]["at"])
    assert await prune(log, clock) == log.base + 2
    assert [row["place"] - log.base for row in await log.load_rows()] == [3, 4]
    head = await log.load_head()
    assert (head["floor_place"], head["floor_hash"]) == (third["place"], third["hash"])
    assert await log.verify() == ()
    assert await prune(log, clock) == 0


async def test_a_log_goes_on_after_all_of_it_has_gone(log: Log, tamperer: Connection) -> None:
    await log.write(1, 2)
    await move_back_in_time(tamperer, log, 2, RETENTION)
    anchor = await log.load_anchor()
    assert await prune(log, LATER) == log.base + 2
    assert await log.verify(anchor) == ()
    await log.write(3)
    assert [row["place"] - log.base for row in await log.load_rows()] == [3]
    assert await log.verify(anchor) == ()


async def test_nobody_can_prune_events_of_the_last_90_days(log: Log, tamperer: Connection) -> None:
    await log.write(1, 2)
    assert await prune(log, LATER) == 0
    await move_back_in_time(tamperer, log, 1, timedelta(days=89))
    assert await prune(log, LATER) == 0
    await move_back_in_time(tamperer, log, 1, timedelta(days=2))
    assert await prune(log, LATER) == log.base + 1


async def test_an_old_event_behind_a_younger_one_stays(log: Log, tamperer: Connection) -> None:
    await log.write(1, 2, 3)
    await move_back_in_time(tamperer, log, 3, RETENTION)
    await tamperer.execute(
        "UPDATE event SET at = now() WHERE workspace_id = $1 AND place = $2", log.workspace_id, log.base + 2
    )
    await prune(log, LATER)
    # Only ever a beginning goes: a gap would look like tampering.
    assert [row["place"] - log.base for row in await log.load_rows()] == [2, 3]


async def test_so_many_go_at_a_time(log: Log, tamperer: Connection) -> None:
    await log.write(1, 2, 3)
    await move_back_in_time(tamperer, log, 3, RETENTION)
    async with log.database.scope(log.workspace_id):
        assert await fetch_value("SELECT portal_prune_events(now(), 2)") == 2
    assert await log.verify() == ()
    async with log.database.scope(log.workspace_id):
        assert await fetch_value("SELECT portal_prune_events(now(), 1000)") == log.base + 1


async def test_another_workspace_keeps_its_events(
    log: Log, rival: SampleWorkspace, tamperer: Connection
) -> None:
    await log.write(1)
    await move_back_in_time(tamperer, log, 1, RETENTION)
    async with log.database.scope(rival.workspace_id):
        await prune_events(clock=LATER)
    assert len(await log.load_rows()) == 1


async def test_a_beginning_that_goes_too_soon_is_a_fault(log: Log, tamperer: Connection) -> None:
    await log.write(1, 2, 3)
    await tamperer.execute(
        "DELETE FROM event WHERE workspace_id = $1 AND place <= $2 + 2", log.workspace_id, log.base
    )
    assert await log.verify() == (Fault(log.base + 3, FaultKind.ROW_MISSING),)


async def test_without_a_workspace_nothing_is_pruned(log: Log) -> None:
    with pytest.raises(asyncpg.PostgresError, match="no workspace is bound"):
        async with log.database.unbound():
            await fetch_value("SELECT portal_prune_events(now(), 10)")
