"""Import invoices of other systems."""

from __future__ import annotations

from typing import Final

import asyncpg

from kernel import live
from kernel.clock import Clock
from kernel.errors import Conflict
from kernel.ids import new_id
from kernel.store import current_workspace, savepoint
from tenants.activity.actions import emit
from tenants.customers import actions as customers
from tenants.customers.values import CustomerDetails
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.actions.pdfs import enqueue_prerenders
from tenants.invoices.actions.rows import insert_version
from tenants.invoices.content import Party
from tenants.invoices.events import InvoiceImported
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.tables import Invoice
from tenants.invoices.values import CheckedInvoice, ImportedInvoice

_FIRST_VERSION: Final = 1
_UNIQUE_NUMBER: Final = "invoice_number"


async def import_invoice(checked: CheckedInvoice, *, clock: Clock) -> ImportedInvoice:
    """Store an invoice that `read_ubl` returned as issued, under its own number, for the buyer it names.

    The customer is found or created, with a contact for the buyer's e-mail address. Nothing is stored where it is
    refused: Conflict("invoice.number_taken") if any invoice of the workspace has this number.
    """
    # Before the customer is created; between two concurrent imports the unique key decides.
    if await Invoice.exists().where(
        Invoice.workspace_id == current_workspace(), Invoice.number == checked.number
    ):
        raise _number_taken(checked.number)
    try:
        async with savepoint():
            return await _store(checked, clock)
    except asyncpg.UniqueViolationError as error:
        if getattr(error, "constraint_name", None) != _UNIQUE_NUMBER:
            raise
        raise _number_taken(checked.number) from error


async def _store(checked: CheckedInvoice, clock: Clock) -> ImportedInvoice:
    content, now = checked.content, clock.now()
    customer_id = await _find_or_create_buyer(content.buyer, clock)
    invoice_id = InvoiceId(new_id())
    await Invoice.insert(
        Invoice(
            workspace_id=current_workspace(),
            invoice_id=invoice_id,
            customer_id=customer_id,
            status=InvoiceStatus.ISSUED.value,
            number=checked.number,
            version=_FIRST_VERSION,
            currency=content.currency,
            total_minor=checked.payable.minor,
            buyer_name=content.buyer.name,
            issue_date=content.issue_date,
            due_date=content.due_date,
            created_at=now,
            changed_at=now,
            issued_at=now,
        )
    )
    encoded = checked.encoded_content, checked.encoded_totals
    await insert_version(invoice_id, _FIRST_VERSION, *encoded, now=now, is_issued=True)
    await live.create_stream(invoice_id)
    await enqueue_prerenders(invoice_id, _FIRST_VERSION)
    await emit(
        InvoiceImported(
            invoice_id=invoice_id,
            customer_id=customer_id,
            number=checked.number,
            version=_FIRST_VERSION,
            currency=content.currency,
            total_minor=checked.payable.minor,
            issue_date=content.issue_date,
            due_date=content.due_date,
        )
    )
    return ImportedInvoice(invoice_id, customer_id, checked.number, checked.payable)


async def _find_or_create_buyer(buyer: Party, clock: Clock) -> CustomerId:
    customer_id = await customers.find_or_create_customer(
        CustomerDetails(
            name=buyer.name,
            street=buyer.address.street,
            additional=buyer.address.additional,
            postal_code=buyer.address.postal_code,
            city=buyer.address.city,
            subdivision=buyer.address.subdivision,
            country=buyer.address.country,
            vat_id=buyer.vat_id,
            identifier=buyer.identifier,
            email=buyer.email,
        ),
        clock=clock,
    )
    await customers.add_missing_contact(customer_id, email=buyer.email, name=buyer.contact_name, clock=clock)
    return customer_id


def _number_taken(number: str) -> Conflict:
    return Conflict("invoice.number_taken", f"There is an invoice {number} already.", number=number)
