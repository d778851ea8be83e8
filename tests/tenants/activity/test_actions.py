"""Events are written with the action that they tell of, and name who acted; refusals are written after it."""

from __future__ import annotations

from typing import Any, ClassVar

import asyncpg
import msgspec
import pytest

from kernel.actor import Actor, ActorKind
from kernel.errors import Conflict, Denied
from kernel.ids import WorkspaceId, new_id
from kernel.store import Database, NoActor, NoUnitOfWork, execute, fetch
from kernel.store.roles import Urls
from kernel.telemetry import logs
from tenants.activity.actions import audit_refusal, emit
from tenants.activity.events import Event
from tests.fakes.sample_workspaces import SampleWorkspace

MEMBER = Actor(
    ActorKind.MEMBER,
    "5c0e",
    name="Ada",
    link_id="link-7",
    session_id="session-8",
    address_prefix="203.0.113.0/24",
)
# Since the workspace was created.
DRAFTS = """
SELECT * FROM event_draft
WHERE workspace_id = $1 AND kind NOT IN ('workspace.created', 'action.refused') ORDER BY entry
"""
REFUSALS = "SELECT * FROM event_draft WHERE workspace_id = $1 AND kind <> 'workspace.created'"


class ShelfBuilt(Event, frozen=True, kw_only=True):
    kind: ClassVar[str] = "shelf.built"

    shelf_id: str
    boards: int = 3


async def load_drafts(svc: Database, workspace_id: WorkspaceId, sql: str = DRAFTS) -> list[Any]:
    async with svc.unbound():
        return await fetch(sql, workspace_id)


async def test_an_event_is_a_draft_of_its_transaction(
    acme: SampleWorkspace, database: Database, svc: Database
) -> None:
    with logs.bind_temporarily(request="r-1"):
        async with database.scope(acme.workspace_id, actor=MEMBER):
            await emit(ShelfBuilt(shelf_id="s-1"))
    (draft,) = await load_drafts(svc, acme.workspace_id)
    assert draft["kind"] == "shelf.built"
    assert msgspec.json.decode(draft["payload"]) == {"shelf_id": "s-1", "boards": 3}
    assert not draft["audit_only"]
    assert (draft["actor_kind"], draft["actor_id"]) == ("member", "5c0e")
    assert msgspec.json.decode(draft["context"]) == {
        "name": "Ada",
        "link_id": "link-7",
        "session_id": "session-8",
        "address_prefix": "203.0.113.0/24",
        "request_id": "r-1",
    }


async def test_what_is_not_known_of_the_actor_is_not_stored(
    acme: SampleWorkspace, database: Database, svc: Database
) -> None:
    async with database.scope(acme.workspace_id, actor=Actor(ActorKind.SYSTEM_JOB, "job-9")):
        await emit(ShelfBuilt(shelf_id="s-1"))
    (draft,) = await load_drafts(svc, acme.workspace_id)
    assert msgspec.json.decode(draft["context"]) == {}


async def test_a_rollback_leaves_no_event(acme: SampleWorkspace, database: Database, svc: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.scope(acme.workspace_id):
            await emit(ShelfBuilt(shelf_id="s-1"))
            raise ZeroDivisionError
    assert await load_drafts(svc, acme.workspace_id) == []


async def test_nobody_emits_without_a_workspace_or_an_actor(urls: Urls, acme: SampleWorkspace) -> None:
    event = ShelfBuilt(shelf_id="s-1")
    with pytest.raises(NoUnitOfWork):
        await emit(event)
    anonymous = await Database.open(urls.app, size=1)
    try:
        async with anonymous.scope(acme.workspace_id):
            with pytest.raises(NoActor):
                await emit(event)
    finally:
        await anonymous.close()


@pytest.mark.parametrize("kind", ["built", "Shelf.built", "shelf.", "shelf.built.twice"])
async def test_the_database_refuses_a_kind_of_another_form(
    database: Database, acme: SampleWorkspace, kind: str
) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        async with database.scope(acme.workspace_id):
            await execute(
                "INSERT INTO event_draft (workspace_id, kind, payload, audit_only, actor_kind, actor_id, context)"
                " VALUES ($1, $2, '{}', false, 'operator', 'x', '{}')",
                acme.workspace_id,
                kind,
            )


async def test_a_refusal_is_audited_although_its_action_was_rolled_back(
    acme: SampleWorkspace, database: Database, svc: Database
) -> None:
    with pytest.raises(Conflict) as refused:
        async with database.scope(acme.workspace_id, actor=MEMBER):
            await emit(ShelfBuilt(shelf_id="s-1"))
            raise Conflict("shelf.full", "The shelf of DE02 1203 0000 0000 2020 51 is full.", iban="DE02")
    await audit_refusal(database, acme.workspace_id, refused.value, action="shelf.build", actor=MEMBER)
    assert await load_drafts(svc, acme.workspace_id) == []
    (draft,) = await load_drafts(svc, acme.workspace_id, REFUSALS)
    assert draft["kind"] == "action.refused"
    assert draft["audit_only"]
    assert draft["actor_id"] == MEMBER.id
    # The words and data of an error may repeat what was sent.
    assert msgspec.json.decode(draft["payload"]) == {"action": "shelf.build", "error_code": "shelf.full"}


async def test_a_refusal_without_an_actor_is_a_mistake_of_ours(urls: Urls, acme: SampleWorkspace) -> None:
    anonymous = await Database.open(urls.app, size=1)
    try:
        with pytest.raises(NoActor):
            await audit_refusal(anonymous, acme.workspace_id, Denied("a.b", "No."), action="shelf.build")
    finally:
        await anonymous.close()


async def test_a_workspace_begins_with_a_head(acme: SampleWorkspace, database: Database) -> None:
    async with database.scope(acme.workspace_id):
        (head,) = await fetch("SELECT place, floor_place FROM event_head")
    assert tuple(head) == (0, 0)


async def test_a_head_needs_its_workspace(database: Database) -> None:
    stranger = new_id()
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        async with database.scope(stranger):
            await execute("INSERT INTO event_head (workspace_id) VALUES ($1)", stranger)
