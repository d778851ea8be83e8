"""Who gets mails about new comments: contacts first, and few strangers."""

from __future__ import annotations

from dataclasses import replace

from kernel.clock import SystemClock
from kernel.ids import new_id
from tenants.access.values import Proof
from tenants.comments.recipients import list_recipients
from tenants.comments.values import Side
from tenants.customers.actions import add_contact
from tenants.invoices.actions import issue_link
from tests.fakes.sample_threads import ANA, write
from tests.fakes.sample_workspaces import SampleWorkspace


async def test_typed_addresses_displace_no_contact_and_few_of_them_get_mail(acme: SampleWorkspace) -> None:
    customer_id = await acme.create_customer()
    invoice_id = await acme.issue_invoice(customer_id)
    clock = SystemClock()
    async with acme.database.scope(acme.workspace_id):
        zoe = await add_contact(customer_id, email="zoe@buyer.example", clock=clock)
        await issue_link(invoice_id, contact_id=zoe.contact_id, sealer=acme.sealer, clock=clock)
        link = await issue_link(invoice_id, sealer=acme.sealer, clock=clock)
    typed = replace(ANA, proofs=frozenset({Proof.LINK}), link_id=link.link_id)
    for number in range(6):
        await write(
            acme, invoice_id, replace(typed, email=f"a{number}@x.example", browser_hash=new_id().bytes * 2)
        )
    await write(
        acme,
        invoice_id,
        replace(typed, email="ben@y.example", proofs=frozenset({Proof.LINK, Proof.EMAIL_CODE})),
    )
    async with acme.database.scope(acme.workspace_id):
        found = await list_recipients(invoice_id, Side.CUSTOMER)
    assert [each.email for each in found] == [
        "zoe@buyer.example",
        "ben@y.example",
        "a0@x.example",
        "a1@x.example",
        "a2@x.example",
    ]
