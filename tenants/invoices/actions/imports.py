"""Import invoices that were written elsewhere."""

from __future__ import annotations

from typing import Final

import asyncpg

from kernel.clock import Clock
from kernel.errors import Conflict
from kernel.ids import new_id
from kernel.store import current_workspace, fetch_value, savepoint
from tenants.customers import actions as customers
from tenants.customers.values import CustomerDetails
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.actions.pdfs import render_ahead
from tenants.invoices.actions.rows import add_encoded_version
from tenants.invoices.content import Party
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.tables import Invoice
from tenants.invoices.values import CheckedInvoice, Imported

_FIRST: Final = 1
_UNIQUE_NUMBER: Final = "invoice_number"
_TAKEN: Final = "SELECT true FROM invoice WHERE workspace_id = $1 AND number = $2"


async def import_invoice(checked: CheckedInvoice, *, clock: Clock) -> Imported:
    """Take over an invoice that `read_ubl` has read as issued, under its own number, for the buyer it names.

    The customer is found again or added, with a contact for the buyer's e-mail address. Nothing at all is
    stored of what is refused: Conflict("invoice.number_taken") if the workspace has an invoice with this
    number, whosever it is.
    """
    # Before the customer, so that refusing leaves nothing to undo; the unique key decides between two at once.
    if await fetch_value(_TAKEN, current_workspace(), checked.number):
        raise _taken(checked.number)
    try:
        async with savepoint():
            return await _store(checked, clock)
    except asyncpg.UniqueViolationError as error:
        if getattr(error, "constraint_name", None) != _UNIQUE_NUMBER:
            raise
        raise _taken(checked.number) from error


async def _store(checked: CheckedInvoice, clock: Clock) -> Imported:
    content, now = checked.content, clock.now()
    customer_id = await _customer(content.buyer, clock)
    invoice_id = InvoiceId(new_id())
    await Invoice.insert(
        Invoice(
            workspace_id=current_workspace(),
            invoice_id=invoice_id,
            customer_id=customer_id,
            status=InvoiceStatus.ISSUED.value,
            number=checked.number,
            version=_FIRST,
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
    await add_encoded_version(invoice_id, _FIRST, *encoded, now=now, issued=True)
    await render_ahead(invoice_id, _FIRST)
    return Imported(invoice_id, customer_id, checked.number, checked.payable)


async def _customer(buyer: Party, clock: Clock) -> CustomerId:
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
    await customers.know_contact(customer_id, email=buyer.email, name=buyer.contact_name, clock=clock)
    return customer_id


def _taken(number: str) -> Conflict:
    return Conflict("invoice.number_taken", f"There is an invoice {number} already.", number=number)
