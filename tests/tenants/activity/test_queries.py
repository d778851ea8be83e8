"""The log as it is read; verification finds whatever was changed in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.actor import Actor, ActorKind
from kernel.errors import Denied
from kernel.ids import WorkspaceId
from kernel.store import Database
from kernel.store.pool import Connection
from kernel.telemetry import logs
from tenants.activity.actions import audit_refusal, emit
from tenants.activity.queries import Fault, FaultKind, list_anchors, list_events, measure_draft_age
from tests.fakes.event_log import Log, ShelfBuilt, place_all
from tests.fakes.sample_workspaces import SampleWorkspace

MEMBER = Actor(ActorKind.MEMBER, "m-1", name="Ada", address_prefix="203.0.113.0/24")

# $1 is the workspace, $2 the place after which the test's five events are.
CHANGE_PAYLOAD = "UPDATE event SET payload = '{\"number\": 9}' WHERE workspace_id = $1 AND place = $2 + 3"
CHANGE_ACTOR = "UPDATE event SET actor_id = 'somebody else' WHERE workspace_id = $1 AND place = $2 + 3"
CHANGE_TIME = "UPDATE event SET at = at - interval '1 microsecond' WHERE workspace_id = $1 AND place = $2 + 3"
REMOVE_ROW = "DELETE FROM event WHERE workspace_id = $1 AND place = $2 + 3"
REMOVE_TAIL = "DELETE FROM event WHERE workspace_id = $1 AND place > $2 + 3"
REMOVE_BEGINNING = "DELETE FROM event WHERE workspace_id = $1 AND place <= $2 + 2"
# As from a superuser who knows the functions: all that lies behind it is computed anew.
CHAIN_ANEW = """
WITH anew AS (
    SELECT place, event_chain(start.hash, event_content(workspace_id, place, event_id, kind, payload, audit_only,
                              actor_kind, actor_id, context, at)) OVER (ORDER BY place) AS hash, start.hash AS first
    FROM event, (SELECT floor_hash AS hash FROM event_head WHERE workspace_id = $1) start WHERE workspace_id = $1
), linked AS (SELECT place, hash, lag(hash, 1, first) OVER (ORDER BY place) AS previous_hash FROM anew)
UPDATE event SET hash = linked.hash, previous_hash = linked.previous_hash
FROM linked WHERE event.workspace_id = $1 AND event.place = linked.place
"""
MOVE_HEAD = """
UPDATE event_head head SET place = last.place, hash = last.hash
FROM (SELECT place, hash FROM event WHERE workspace_id = $1 ORDER BY place DESC LIMIT 1) last
WHERE head.workspace_id = $1
"""
INSERT_ROW = """
INSERT INTO event SELECT workspace_id, place + 1, gen_random_uuid(), kind, payload, audit_only, actor_kind, actor_id,
                         context, at, hash, sha256('invented')
FROM event WHERE workspace_id = $1 AND place = $2 + 5
"""


def build_faults(log: Log, *found: tuple[int, FaultKind]) -> tuple[Fault, ...]:
    return tuple(Fault(log.base + place, kind) for place, kind in found)


async def test_events_are_listed_newest_first_with_who_and_what(log: Log) -> None:
    with logs.bind_temporarily(request="r-1"):
        await log.write(1, 2, actor=MEMBER)
    async with log.database.scope(log.workspace_id, read_only=True):
        newest, before = await list_events(audit=False, limit=2)
    assert (newest.place, newest.kind, newest.payload) == (log.base + 2, "shelf.built", {"number": 2})
    assert (newest.actor, newest.request_id, newest.audit_only) == (MEMBER, "r-1", False)
    assert before.payload == {"number": 1}
    assert before.at < newest.at


async def test_refusals_are_listed_in_the_audit_log_alone(log: Log) -> None:
    await log.write(1)
    await audit_refusal(log.database, log.workspace_id, Denied("shelf.closed", "No."), action="shelf.build")
    await place_all(log.svc)
    async with log.database.scope(log.workspace_id, read_only=True):
        assert [event.kind for event in await list_events(audit=False, limit=1)] == ["shelf.built"]
        (refusal,) = await list_events(audit=True, limit=1)
        assert (await list_events(audit=True, kind="action.refused")) == (refusal,)
    assert refusal.payload == {"action": "shelf.build", "error_code": "shelf.closed"}
    assert refusal.audit_only


async def test_events_are_listed_from_a_moment_on(log: Log) -> None:
    await log.write(1, 2, 3)
    moment = (await log.load_rows())[1]["at"]
    async with log.database.scope(log.workspace_id, read_only=True):
        found = await list_events(audit=False, kind="shelf.built", since=moment)
    assert [event.payload["number"] for event in found] == [3, 2]


async def test_an_untouched_log_has_no_fault(log: Log) -> None:
    await log.write(1, 2)
    early = await log.load_anchor()
    await log.write(3)
    assert await log.verify() == ()
    assert await log.verify(early, await log.load_anchor()) == ()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (CHANGE_PAYLOAD, [(3, FaultKind.ROW_CHANGED)]),
        (CHANGE_ACTOR, [(3, FaultKind.ROW_CHANGED)]),
        (CHANGE_TIME, [(3, FaultKind.ROW_CHANGED)]),
        (REMOVE_ROW, [(4, FaultKind.ROW_MISSING)]),
        (REMOVE_TAIL, [(5, FaultKind.ANCHOR_DIFFERS)]),
        (INSERT_ROW, [(6, FaultKind.NOT_PLACED)]),
    ],
    ids=["payload", "actor", "time", "removed row", "removed tail", "inserted row"],
)
async def test_tampering_is_found_by_the_log_itself(
    log: Log, tamperer: Connection, statement: str, found: list[tuple[int, FaultKind]]
) -> None:
    await log.write(1, 2, 3, 4, 5)
    await tamperer.execute(statement, log.workspace_id, log.base)
    assert await log.verify() == build_faults(log, *found)


async def test_a_removed_beginning_is_found(log: Log, tamperer: Connection) -> None:
    await log.write(1, 2, 3, 4, 5)
    await tamperer.execute(REMOVE_BEGINNING, log.workspace_id, log.base)
    assert await log.verify() == build_faults(log, (3, FaultKind.ROW_MISSING))


async def test_a_row_with_its_own_hash_computed_anew_does_not_fit_the_next_one(
    log: Log, tamperer: Connection
) -> None:
    await log.write(1, 2, 3, 4, 5)
    await tamperer.execute(CHANGE_PAYLOAD, log.workspace_id, log.base)
    await tamperer.execute(
        """UPDATE event SET hash = sha256(previous_hash || event_content(workspace_id, place, event_id, kind, payload,
               audit_only, actor_kind, actor_id, context, at)) WHERE workspace_id = $1 AND place = $2 + 3""",
        log.workspace_id,
        log.base,
    )
    assert await log.verify() == build_faults(log, (4, FaultKind.ROW_REPLACED))


Write = Callable[[Connection, WorkspaceId, int], Awaitable[None]]


async def change_and_chain(tamperer: Connection, workspace_id: WorkspaceId, base: int) -> None:
    await tamperer.execute(CHANGE_PAYLOAD, workspace_id, base)
    await tamperer.execute(CHAIN_ANEW, workspace_id)
    await tamperer.execute(MOVE_HEAD, workspace_id)


async def cut_tail_and_head(tamperer: Connection, workspace_id: WorkspaceId, base: int) -> None:
    await tamperer.execute(REMOVE_TAIL, workspace_id, base)
    await tamperer.execute(MOVE_HEAD, workspace_id)


async def insert_and_chain(tamperer: Connection, workspace_id: WorkspaceId, base: int) -> None:
    for statement in (
        "UPDATE event SET place = place + 1000 WHERE workspace_id = $1 AND place >= $2 + 3",
        "UPDATE event SET place = place - 999 WHERE workspace_id = $1 AND place >= $2 + 1003",
        """INSERT INTO event
           SELECT workspace_id, place - 1, gen_random_uuid(), kind, payload, audit_only, actor_kind, actor_id,
                  context, at, previous_hash, hash FROM event WHERE workspace_id = $1 AND place = $2 + 4""",
    ):
        await tamperer.execute(statement, workspace_id, base)
    await tamperer.execute(CHAIN_ANEW, workspace_id)
    await tamperer.execute(MOVE_HEAD, workspace_id)


async def raise_floor(tamperer: Connection, workspace_id: WorkspaceId, base: int) -> None:
    await tamperer.execute(
        """UPDATE event_head head SET floor_place = last.place, floor_hash = last.hash
           FROM (SELECT * FROM event WHERE place = $2 + 5) last
           WHERE head.workspace_id = $1 AND last.workspace_id = $1""",
        workspace_id,
        base,
    )
    await tamperer.execute(
        "DELETE FROM event WHERE workspace_id = $1 AND place <= $2 + 5", workspace_id, base
    )


@pytest.mark.parametrize("write", [change_and_chain, cut_tail_and_head, insert_and_chain, raise_floor])
async def test_a_chain_computed_anew_is_found_by_an_anchor(
    log: Log, tamperer: Connection, write: Write
) -> None:
    await log.write(1, 2, 3, 4)
    anchor = await log.load_anchor()
    await log.write(5)
    await write(tamperer, log.workspace_id, log.base)
    assert await log.verify() == ()
    assert await log.verify(anchor) == build_faults(log, (4, FaultKind.ANCHOR_DIFFERS))


async def test_a_log_without_a_head_cannot_be_verified(log: Log, tamperer: Connection) -> None:
    await log.write(1)
    await tamperer.execute("DELETE FROM event_head WHERE workspace_id = $1", log.workspace_id)
    assert await log.verify() == (Fault(0, FaultKind.HEAD_MISSING),)


async def test_an_anchor_of_another_workspace_is_not_compared(log: Log, rival: SampleWorkspace) -> None:
    await log.write(1)
    foreign = replace(await log.load_anchor(), workspace_id=rival.workspace_id, hash="00" * 32)
    assert await log.verify(foreign) == ()


async def test_anchors_are_the_ends_of_the_logs_that_grew(
    log: Log, rival: SampleWorkspace, svc: Database
) -> None:
    await log.write(1, 2)
    async with svc.unbound(read_only=True):
        found = await list_anchors(within=timedelta(minutes=10))
        none = await list_anchors(within=timedelta(0))
    assert await log.load_anchor() in found
    assert none == ()
    assert min(anchor.place for anchor in found) > 0


async def test_the_age_of_the_oldest_draft_is_seen(log: Log, svc: Database) -> None:
    async with svc.unbound(read_only=True):
        assert await measure_draft_age() == timedelta(0)
    async with log.database.scope(log.workspace_id):
        await emit(ShelfBuilt(number=1))
    async with svc.unbound(read_only=True):
        assert await measure_draft_age() > timedelta(0)
    await place_all(svc)
    async with svc.unbound(read_only=True):
        assert await measure_draft_age() == timedelta(0)
