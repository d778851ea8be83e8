"""Reads of customers and their contacts."""

from __future__ import annotations

from typing import Any, Final

from kernel.errors import Missing
from kernel.store import current_workspace, fetch, fetch_value
from tenants.customers.tables import Contact as ContactRow
from tenants.customers.tables import Customer as CustomerRow
from tenants.customers.values import Contact, Customer, CustomerDetails
from tenants.ids import ContactId, CustomerId
from tenants.workspaces.authority import WriteAuthority, read_authority

# Keyset: the id breaks ties between equal names. Piccolo cannot compare rows.
_SELECT_AFTER: Final = """
SELECT * FROM customer
WHERE workspace_id = $1 AND (name, customer_id) > ($2, $3)
ORDER BY name, customer_id LIMIT $4
"""
_SELECT_LOCALE: Final = """
SELECT coalesce(k.locale, c.locale) FROM contact k
JOIN customer c ON c.workspace_id = k.workspace_id AND c.customer_id = k.customer_id
WHERE k.workspace_id = $1 AND k.email = $2 AND coalesce(k.locale, c.locale) IS NOT NULL
ORDER BY k.created_at DESC, k.contact_id LIMIT 1
"""


async def list_customers(*, limit: int = 100, after: CustomerId | None = None) -> tuple[Customer, ...]:
    """Return customers by name, from the one after `after`; Missing("customer.not_found") for that one."""
    workspace_id = current_workspace()
    if after is None:
        rows = (
            await CustomerRow.select()
            .where(CustomerRow.workspace_id == workspace_id)
            .order_by(CustomerRow.name, CustomerRow.customer_id)
            .limit(limit)
        )
    else:
        last = await load_customer(after)
        rows = await fetch(_SELECT_AFTER, workspace_id, last.details.name, after, limit)
    return tuple(_read_customer(row) for row in rows)


async def load_customer(customer_id: CustomerId) -> Customer:
    """Return a customer; Missing("customer.not_found")."""
    row = (
        await CustomerRow.select()
        .where(CustomerRow.workspace_id == current_workspace(), CustomerRow.customer_id == customer_id)
        .first()
    )
    if row is None:
        raise missing_customer()
    return _read_customer(row)


async def load_write_authority(customer_id: CustomerId) -> WriteAuthority | None:
    """Return a customer's own setting of who may write comments, None without; Missing("customer.not_found")."""
    row = (
        await CustomerRow.select(CustomerRow.write_mode, CustomerRow.write_totp, CustomerRow.otp_policy)
        .where(CustomerRow.workspace_id == current_workspace(), CustomerRow.customer_id == customer_id)
        .first()
    )
    if row is None:
        raise missing_customer()
    return read_authority(row)


async def list_contacts(customer_id: CustomerId) -> tuple[Contact, ...]:
    """Return a customer's contacts by address; none for an unknown customer."""
    rows = (
        await ContactRow.select()
        .where(ContactRow.workspace_id == current_workspace(), ContactRow.customer_id == customer_id)
        .order_by(ContactRow.email)
    )
    return tuple(_read_contact(row) for row in rows)


async def load_contact(contact_id: ContactId) -> Contact:
    """Return a contact; Missing("contact.not_found")."""
    row = (
        await ContactRow.select()
        .where(ContactRow.workspace_id == current_workspace(), ContactRow.contact_id == contact_id)
        .first()
    )
    if row is None:
        raise Missing("contact.not_found", "There is no such contact.")
    return _read_contact(row)


async def list_contacts_by_email(email: str) -> tuple[Contact, ...]:
    """Return the contacts with an address, which is in lower case: one for each customer that has it."""
    rows = (
        await ContactRow.select()
        .where(ContactRow.workspace_id == current_workspace(), ContactRow.email == email)
        .order_by(ContactRow.created_at, ContactRow.contact_id)
    )
    return tuple(_read_contact(row) for row in rows)


async def find_contact_locale(email: str) -> str | None:
    """Return the locale of a contact with this address, else of its customer; None if neither has one."""
    locale: str | None = await fetch_value(_SELECT_LOCALE, current_workspace(), email)
    return locale


def missing_customer() -> Missing:
    """Return the error for a customer that does not exist, or belongs to another workspace."""
    return Missing("customer.not_found", "There is no such customer.")


def _read_customer(row: Any) -> Customer:
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


def _read_contact(row: Any) -> Contact:
    return Contact(
        ContactId(row["contact_id"]), CustomerId(row["customer_id"]), row["name"], row["email"], row["locale"]
    )
