"""The view log: who viewed an invoice, from which network, never from which address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from kernel.ids import new_id
from kernel.store import current, execute, fetch, fetch_value
from tenants.ids import InvoiceId, LinkId
from tenants.invoices import actions
from tenants.invoices.actions.views import _INSERT_VIEWS
from tenants.invoices.values import ActorClass, View
from tests.fakes.large_workspaces import find_scans
from tests.fakes.sample_workspaces import SampleWorkspace

NOW = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)


def build_view(invoice_id: InvoiceId, **fields: Any) -> View:
    values: dict[str, Any] = {
        "view_id": new_id(),
        "invoice_id": invoice_id,
        "link_id": None,
        "actor": ActorClass.HUMAN,
        "viewed_at": NOW,
        "address": None,
        "user_agent": "Firefox",
        "request_id": "",
    }
    return View(**(values | fields))


async def issue_link(sample_workspace: SampleWorkspace, invoice_id: InvoiceId) -> LinkId:
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        return (
            await actions.issue_link(invoice_id, sealer=sample_workspace.sealer, clock=sample_workspace.clock)
        ).link_id


async def record_views(sample_workspace: SampleWorkspace, views: Sequence[View]) -> int:
    async with sample_workspace.database.scope(sample_workspace.workspace_id):
        return await actions.record_views(views)


async def load_views(sample_workspace: SampleWorkspace) -> list[Any]:
    async with sample_workspace.database.scope(sample_workspace.workspace_id, read_only=True):
        return await fetch("SELECT * FROM invoice_view ORDER BY viewed_at, view_id")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        (IPv4Address("203.0.113.77"), "203.0.113.0/24"),
        (IPv6Address("2001:db8:1:2::5"), "2001:db8:1::/48"),
        (IPv6Address("::ffff:203.0.113.77"), "203.0.113.0/24"),
        (None, None),
    ],
)
async def test_a_view_is_stored_with_its_network_only(
    acme: SampleWorkspace, address: IPv4Address | IPv6Address | None, kept: str | None
) -> None:
    invoice_id = await acme.issue_invoice()
    view = build_view(
        invoice_id,
        link_id=await issue_link(acme, invoice_id),
        address=address,
        user_agent="Mozilla/5.0\r\n\x00" + "x" * 900,
        request_id="r\x00" + "q" * 90,
    )
    assert await record_views(acme, [view]) == 1
    (row,) = await load_views(acme)
    assert (row["view_id"], row["invoice_id"], row["link_id"], row["actor"], row["viewed_at"]) == (
        view.view_id,
        invoice_id,
        view.link_id,
        "human",
        NOW,
    )
    assert (str(row["address_prefix"]) if kept else row["address_prefix"]) == kept
    assert row["user_agent"] == "Mozilla/5.0 " + "x" * 488
    assert row["request_id"] == "r" + "q" * 63


@pytest.mark.parametrize("actor", list(ActorClass))
async def test_every_class_of_actor_can_be_stored(acme: SampleWorkspace, actor: ActorClass) -> None:
    assert await record_views(acme, [build_view(await acme.issue_invoice(), actor=actor)]) == 1
    (row,) = await load_views(acme)
    assert row["actor"] == actor.value


async def test_views_of_nothing_are_left_out_and_the_others_stored(
    acme: SampleWorkspace, rival: SampleWorkspace
) -> None:
    invoice_id, other_id, foreign_id = (
        await acme.issue_invoice(),
        await acme.issue_invoice(),
        await rival.issue_invoice(),
    )
    views = [
        build_view(InvoiceId(new_id())),
        build_view(invoice_id, user_agent="first"),
        build_view(invoice_id, link_id=LinkId(new_id())),
        build_view(invoice_id, link_id=await issue_link(acme, other_id)),
        build_view(foreign_id),
        build_view(invoice_id, link_id=await issue_link(rival, foreign_id)),
        build_view(other_id, link_id=await issue_link(acme, other_id), user_agent="second"),
    ]
    assert await record_views(acme, views) == 2
    assert {row["user_agent"] for row in await load_views(acme)} == {"first", "second"}
    assert await load_views(rival) == []
    assert await record_views(acme, []) == 0


async def test_a_view_that_is_written_again_is_stored_once(acme: SampleWorkspace) -> None:
    view = build_view(await acme.issue_invoice())
    assert [await record_views(acme, [view]), await record_views(acme, [view, view])] == [1, 0]
    assert len(await load_views(acme)) == 1


async def test_a_batch_is_one_statement(acme: SampleWorkspace) -> None:
    invoice_id, sent = await acme.issue_invoice(), list[str]()
    async with acme.database.scope(acme.workspace_id):
        connection: Any = current().connection()
        with connection.query_logger(lambda record: sent.append(record.query)):
            assert await actions.record_views([build_view(invoice_id) for _ in range(500)]) == 500
            # The driver calls its loggers in the loop's next turn.
            await asyncio.sleep(0)
    assert len([query for query in sent if "invoice_view" in query]) == 1


async def test_a_draft_that_is_being_deleted_costs_its_own_view_alone(acme: SampleWorkspace) -> None:
    invoice_id, draft_id = await acme.issue_invoice(), await acme.create_draft()
    async with acme.database.scope(acme.workspace_id):
        await actions.discard_draft(draft_id)
        recording = asyncio.create_task(record_views(acme, [build_view(draft_id), build_view(invoice_id)]))
        async with asyncio.timeout(5):
            while not await fetch_value(  # noqa: ASYNC110  -- Postgres' state
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
            ):
                await asyncio.sleep(0.01)
    assert await recording == 1
    assert [row["invoice_id"] for row in await load_views(acme)] == [invoice_id]


async def test_each_view_is_found_by_whole_keys_among_thousands(large_workspace: SampleWorkspace) -> None:
    async with large_workspace.database.scope(large_workspace.workspace_id):
        assert await fetch_value("SHOW plan_cache_mode") == "force_generic_plan"
        await execute(f"PREPARE adding (uuid, jsonb) AS {_INSERT_VIEWS}")
        asked = f"EXECUTE adding ('{large_workspace.workspace_id}', '[]')"
        plan = json.loads(await fetch_value(f"EXPLAIN (FORMAT JSON) {asked}"))[0]["Plan"]
        await execute("DEALLOCATE adding")
    found = find_scans(plan)
    wanted = {"invoice": ("invoice_pkey", "invoice_id"), "link": ("link_pkey", "link_id")}
    for table, (index, key) in wanted.items():
        assert found[table][0] == index, found
        assert "workspace_id" in found[table][1], found
        assert key in found[table][1], found
