"""Committed drafts get contiguous places in the order of their entry, whatever else goes on."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from itertools import pairwise
from typing import Any

import asyncpg
import msgspec

from kernel.actor import Actor, ActorKind
from kernel.ids import new_id
from kernel.store import Database, execute, fetch, fetch_value
from kernel.store.pool import Connection
from kernel.store.roles import Urls
from tenants.activity.actions import emit
from tenants.activity.sequencer import find_workspaces_with_drafts, place_events
from tests.fakes.event_log import Log, ShelfBuilt, place_all
from tests.fakes.sample_workspaces import SampleWorkspace


def list_numbers(rows: list[Any]) -> list[int]:
    return [msgspec.json.decode(row["payload"])["number"] for row in rows]


async def test_events_are_placed_in_order_and_chained(log: Log, svc: Database) -> None:
    await log.write(1, 2, 3)
    rows = await log.load_rows()
    assert list_numbers(rows) == [1, 2, 3]
    assert [row["place"] for row in rows] == [log.base + 1, log.base + 2, log.base + 3]
    for before, row in pairwise(rows):
        assert row["previous_hash"] == before["hash"]
    head = await log.load_head()
    assert (head["place"], head["hash"]) == (log.base + 3, rows[-1]["hash"])
    async with svc.unbound():
        assert await fetch_value("SELECT count(*) FROM event_draft") == 0


async def test_a_hash_covers_every_column_of_the_event(log: Log) -> None:
    await log.write(1, actor=Actor(ActorKind.MEMBER, "m-1", name="Ada"))
    (row,) = await log.load_rows()
    content = [
        str(row["workspace_id"]),
        row["place"],
        str(row["event_id"]),
        row["kind"],
        msgspec.json.decode(row["payload"]),
        row["audit_only"],
        row["actor_kind"],
        row["actor_id"],
        msgspec.json.decode(row["context"]),
        int(row["at"].timestamp() * 1_000_000 + 0.5),
    ]
    # As Postgres writes jsonb: a space after each comma and colon.
    text = ", ".join(
        msgspec.json.encode(value).decode().replace(":", ": ").replace(",", ", ") for value in content
    )
    assert row["hash"] == sha256(row["previous_hash"] + f"[{text}]".encode()).digest()


async def test_the_later_commit_is_placed_later_and_never_skipped(log: Log, urls: Urls) -> None:
    late: Connection = await asyncpg.connect(urls.app)
    await late.execute(f"BEGIN; SET LOCAL app.workspace = '{log.workspace_id}'")
    await late.execute(
        "INSERT INTO event_draft (workspace_id, kind, payload, audit_only, actor_kind, actor_id, context)"
        " VALUES ($1, 'shelf.built', '{\"number\": 1}', false, 'operator', 'x', '{}')",
        log.workspace_id,
    )
    # The entry of the second is higher; it is placed at once, because nobody waits for the first.
    await log.write(2)
    assert list_numbers(await log.load_rows()) == [2]
    await late.execute("COMMIT")
    await late.close()
    await place_all(log.svc)
    assert list_numbers(await log.load_rows()) == [2, 1]
    assert await log.verify() == ()


async def test_each_workspace_has_places_of_its_own(log: Log, rival: SampleWorkspace, svc: Database) -> None:
    await place_all(svc)
    async with log.database.scope(rival.workspace_id):
        before = await fetch_value("SELECT place FROM event_head")
        await emit(ShelfBuilt(number=7))
    await log.write(1)
    assert [row["place"] for row in await log.load_rows()] == [log.base + 1]
    async with log.database.scope(rival.workspace_id):
        (row,) = await fetch("SELECT * FROM event WHERE place > $1", before)
    assert (row["place"], row["workspace_id"]) == (before + 1, rival.workspace_id)


async def test_only_workspaces_with_drafts_are_found_in_order(log: Log, rival: SampleWorkspace) -> None:
    await place_all(log.svc)
    assert await find_workspaces_with_drafts(log.svc) == ()
    assert await place_events(log.svc, [log.workspace_id]) == 0
    for workspace_id in (log.workspace_id, rival.workspace_id):
        async with log.database.scope(workspace_id):
            await emit(ShelfBuilt(number=1))
    first, second = sorted((log.workspace_id, rival.workspace_id))
    assert await find_workspaces_with_drafts(log.svc) == (first, second)
    assert await find_workspaces_with_drafts(log.svc, limit=1) == (first,)
    assert await find_workspaces_with_drafts(log.svc, first) == (second,)
    assert await find_workspaces_with_drafts(log.svc, second) == ()


async def test_a_head_that_another_sequencer_holds_is_left_to_it(log: Log, urls: Urls) -> None:
    other: Connection = await asyncpg.connect(urls.svc)
    await other.execute("BEGIN")
    await other.fetch("SELECT FROM event_head WHERE workspace_id = $1 FOR NO KEY UPDATE", log.workspace_id)
    async with log.database.scope(log.workspace_id):
        await emit(ShelfBuilt(number=1))
    assert await place_events(log.svc, [log.workspace_id]) == 0
    assert await log.load_rows() == []
    await other.close()
    await place_all(log.svc)
    assert list_numbers(await log.load_rows()) == [1]


async def test_a_draft_without_a_head_disturbs_nobody(log: Log, svc: Database) -> None:
    stranger = new_id()
    async with log.database.scope(stranger):
        await emit(ShelfBuilt(number=1))
    await log.write(2)
    assert list_numbers(await log.load_rows()) == [2]
    async with svc.unbound():
        assert await execute("DELETE FROM event_draft WHERE workspace_id = $1", stranger) == "DELETE 1"


async def test_one_transaction_places_so_many_and_the_next_one_the_rest(log: Log) -> None:
    async with log.database.scope(log.workspace_id):
        for number in range(3):
            await emit(ShelfBuilt(number=number))
    assert await place_events(log.svc, [log.workspace_id], limit=2) == 2
    assert list_numbers(await log.load_rows()) == [0, 1]
    assert await place_events(log.svc, [log.workspace_id], limit=2) == 1
    assert list_numbers(await log.load_rows()) == [0, 1, 2]
    assert await log.verify() == ()


async def test_two_sequencers_at_once_place_nothing_twice(log: Log, urls: Urls) -> None:
    wide = await Database.open(urls.svc, size=4)
    try:
        for start in range(0, 40, 10):
            async with log.database.scope(log.workspace_id):
                for number in range(start, start + 10):
                    await emit(ShelfBuilt(number=number))
            await asyncio.gather(*(place_events(wide, [log.workspace_id]) for _ in range(4)))
        await place_all(wide)
    finally:
        await wide.close()
    assert list_numbers(await log.load_rows()) == list(range(40))
    assert await log.verify() == ()
