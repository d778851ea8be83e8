"""Sending invoices, and fresh links for whoever asks: the limits are the same for every address."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from kernel.errors import Conflict, Invalid, Missing, Throttled
from kernel.store import execute, fetch, fetch_value
from tenants.customers.actions import add_contact
from tenants.ids import CustomerId
from tenants.invoices.actions import issue_fresh_links, request_fresh_links, send_invoice, void
from tenants.invoices.actions.mailing import MAX_FRESH_LINKS
from tests.fakes.payments import set_paid
from tests.fakes.sample_workspaces import SampleWorkspace, euros
from tests.tenants.exercises import CLOCK, run

ADDRESS = "ana@buyer.example"
PASS_TIME = "UPDATE fresh_link_request SET created_at = created_at - $1::interval"


async def add_ana(acme: SampleWorkspace) -> CustomerId:
    """Add a customer with one contact."""
    customer_id = await acme.create_customer()
    await run(acme, add_contact, customer_id, email=ADDRESS, name="Ana", clock=CLOCK)
    return customer_id


async def issue_requested(acme: SampleWorkspace, address: str = ADDRESS) -> int:
    """Request fresh links and run what the job runs."""
    async with acme.database.scope(acme.workspace_id):
        await request_fresh_links(address)
        request_id = await fetch_value(
            "SELECT request_id FROM fresh_link_request ORDER BY created_at DESC LIMIT 1"
        )
        return await issue_fresh_links(request_id, sealer=acme.sealer, clock=CLOCK)


async def pass_time(acme: SampleWorkspace, time: timedelta) -> None:
    async with acme.database.scope(acme.workspace_id):
        await execute(PASS_TIME, time)


@pytest.mark.parametrize("address", [ADDRESS, "eve@elsewhere.example"])
async def test_an_address_known_or_not_gets_links_once_a_minute_and_ten_times_a_day(
    acme: SampleWorkspace, address: str
) -> None:
    await add_ana(acme)
    for _ in range(9):
        await run(acme, request_fresh_links, address)
        with pytest.raises(Throttled) as caught:
            await run(acme, request_fresh_links, address.upper())
        assert caught.value.code == "fresh_links.throttled"
        assert 58 <= int(str(caught.value.data["retry_after_s"])) <= 60
        await pass_time(acme, timedelta(minutes=1))
    await run(acme, request_fresh_links, address)
    await pass_time(acme, timedelta(minutes=1))
    with pytest.raises(Throttled) as caught:
        await run(acme, request_fresh_links, address)
    assert 85_000 <= int(str(caught.value.data["retry_after_s"])) <= 86_400
    await pass_time(acme, timedelta(days=1))
    await run(acme, request_fresh_links, address)


async def test_of_many_requests_at_once_one_is_taken(acme: SampleWorkspace) -> None:
    results = await asyncio.gather(
        *(run(acme, request_fresh_links, ADDRESS) for _ in range(20)), return_exceptions=True
    )
    assert sum(result is None for result in results) == 1
    assert {type(result) for result in results if result is not None} == {Throttled}


async def test_what_is_no_address_is_refused(acme: SampleWorkspace) -> None:
    with pytest.raises(Invalid):
        await run(acme, request_fresh_links, "ana")


async def test_links_are_issued_for_what_is_unpaid_first(acme: SampleWorkspace) -> None:
    customer_id = await add_ana(acme)
    paid, voided = await acme.issue_invoice(customer_id), await acme.issue_invoice(customer_id)
    await run(acme, set_paid, paid, euros("119"), clock=CLOCK)
    await run(acme, void, voided, clock=CLOCK)
    await acme.create_draft(customer_id)
    unpaid = [await acme.issue_invoice(customer_id) for _ in range(2)]
    assert await issue_requested(acme) == 3
    async with acme.database.scope(acme.workspace_id):
        links = {row["invoice_id"] for row in await fetch("SELECT invoice_id FROM link")}
        (payload,) = [
            row["link_ids"]
            for row in await fetch(
                "SELECT payload -> 'link_ids' ->> 0 AS link_ids FROM job WHERE kind = 'invoices.send_fresh_links'"
            )
        ]
        first = await fetch_value("SELECT invoice_id FROM link WHERE link_id = $1::text::uuid", payload)
    assert links == {paid, *unpaid}
    assert first == unpaid[-1]


async def test_one_mail_has_a_bounded_number_of_links(acme: SampleWorkspace) -> None:
    customer_id = await add_ana(acme)
    for _ in range(MAX_FRESH_LINKS + 1):
        await acme.issue_invoice(customer_id)
    assert await issue_requested(acme) == MAX_FRESH_LINKS


async def test_an_unknown_address_gets_no_link_and_no_mail(acme: SampleWorkspace) -> None:
    await acme.issue_invoice(await add_ana(acme))
    assert await issue_requested(acme, "eve@elsewhere.example") == 0
    async with acme.database.scope(acme.workspace_id):
        assert await fetch("SELECT FROM job WHERE kind = 'invoices.send_fresh_links'") == []


async def test_addresses_of_requests_are_deleted_after_a_day(acme: SampleWorkspace) -> None:
    await run(acme, request_fresh_links, "eve@elsewhere.example")
    await pass_time(acme, timedelta(days=1, minutes=1))
    await issue_requested(acme)
    async with acme.database.scope(acme.workspace_id):
        assert [row["email"] for row in await fetch("SELECT email FROM fresh_link_request")] == [ADDRESS]


async def test_a_draft_is_not_sent_nor_to_anothers_contact(acme: SampleWorkspace) -> None:
    customer_id = await add_ana(acme)
    async with acme.database.scope(acme.workspace_id):
        contact_id = await fetch_value("SELECT contact_id FROM contact")
    draft_id, of_another = await acme.create_draft(customer_id), await acme.issue_invoice()
    with pytest.raises(Conflict, match="draft"):
        await run(acme, send_invoice, draft_id, contact_id, sealer=acme.sealer, clock=CLOCK)
    with pytest.raises(Missing):
        await run(acme, send_invoice, of_another, contact_id, sealer=acme.sealer, clock=CLOCK)
    async with acme.database.scope(acme.workspace_id):
        assert await fetch("SELECT FROM link") == []
