"""Reads of customers and their contacts."""

from __future__ import annotations

from typing import Any, Final

from kernel.errors import Missing
from kernel.store import current_workspace, fetch
from tenants.customers.tables import Contact as ContactRow
from tenants.customers.tables import Customer as CustomerRow
from tenants.customers.values import Contact, Customer, CustomerDetails
from tenants.ids import ContactId, CustomerId

# Keyset: the id breaks ties between equal names.
_AFTER: Final = """
SELECT * FROM customer
WHERE workspace_id = $1 AND (name, customer_id) > ($2, $3)
ORDER BY name, customer_id LIMIT $4
"""
_FIRST: Final = "SELECT * FROM customer WHERE workspace_id = $1 ORDER BY name, customer_id LIMIT $2"


async def list_customers(*, limit: int = 100, after: CustomerId | None = None) -> tuple[Customer, ...]:
    """Return customers by name, from the one after `after`; Missing("customer.not_found") for that one."""
    workspace_id = current_workspace()
    if after is None:
        rows = await fetch(_FIRST, workspace_id, limit)
    else:
        last = await customer(after)
        rows = await fetch(_AFTER, workspace_id, last.details.name, after, limit)
    return tuple(_customer(row) for row in rows)


async def customer(customer_id: CustomerId) -> Customer:
    """Return a customer; Missing("customer.not_found")."""
    row = (
        await CustomerRow.select()
        .where(CustomerRow.workspace_id == current_workspace(), CustomerRow.customer_id == customer_id)
        .first()
    )
    if row is None:
        raise Missing("customer.not_found", "There is no such customer.")
    return _customer(row)


async def contacts(customer_id: CustomerId) -> tuple[Contact, ...]:
    """Return a customer's contacts by address; none for a customer that there is not."""
    rows = (
        await ContactRow.select()
        .where(ContactRow.workspace_id == current_workspace(), ContactRow.customer_id == customer_id)
        .order_by(ContactRow.email)
    )
    return tuple(_contact(row) for row in rows)


async def contact(contact_id: ContactId) -> Contact:
    """Return a contact; Missing("contact.not_found")."""
    row = (
        await ContactRow.select()
        .where(ContactRow.workspace_id == current_workspace(), ContactRow.contact_id == contact_id)
        .first()
    )
    if row is None:
        raise Missing("contact.not_found", "There is no such contact.")
    return _contact(row)


def _customer(row: Any) -> Customer:
    return Customer(
        CustomerId(row["customer_id"]),
        CustomerDetails(
            name=row["name"],
            street=row["street"],
            additional=row["additional"],
            postal_code=row["postal_code"],
            city=row["city"],
            subdivision=row["subdivision"],
            country=row["country"],
            vat_id=row["vat_id"],
            identifier=row["identifier"],
            email=row["email"],
            locale=row["locale"],
        ),
    )


def _contact(row: Any) -> Contact:
    return Contact(
        ContactId(row["contact_id"]), CustomerId(row["customer_id"]), row["name"], row["email"], row["locale"]
    )
