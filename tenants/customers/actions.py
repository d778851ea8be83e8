"""What members do to customers; each function is one intention inside a unit of work."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import asyncpg
from piccolo.columns import Column

from kernel.clock import Clock
from kernel.errors import Conflict, Missing
from kernel.identifiers import check_email, clean_vat_number
from kernel.ids import new_id
from kernel.store import current_workspace, execute, fetch_value, savepoint
from kernel.text import clean_identifier, clean_line
from tenants.customers import queries, values
from tenants.customers.matching import match_key
from tenants.customers.tables import Contact as ContactRow
from tenants.customers.tables import Customer as CustomerRow
from tenants.customers.values import Contact, Customer, CustomerDetails
from tenants.ids import ContactId, CustomerId
from tenants.workspaces.profile import check_locale

# Two imports of the same unknown buyer at once: the second waits, and finds what the first one made.
_LOCK_KEY: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2, 1))"
_OLDEST_MATCH: Final = """
SELECT customer_id FROM customer WHERE workspace_id = $1 AND match_key = $2
ORDER BY created_at, customer_id LIMIT 1
"""
_KNOW_CONTACT: Final = """
INSERT INTO contact (workspace_id, contact_id, customer_id, name, email, created_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, customer_id, email) DO NOTHING
"""


async def create_customer(details: CustomerDetails, *, clock: Clock) -> Customer:
    """Add a customer. Two may look alike: that is for people to judge.

    Invalid (`customer.name`, `country.invalid`, `email.invalid`, `locale.unknown`).
    """
    return await _insert(_checked(details), clock)


async def update_customer(customer_id: CustomerId, details: CustomerDetails) -> Customer:
    """Replace what is known of a customer; issued invoices keep what they say.

    Missing("customer.not_found"), Invalid as `create_customer`.
    """
    await queries.customer(customer_id)
    clean = _checked(details)
    changes: dict[Column | str, Any] = {"match_key": _key(clean)}
    changes.update(_columns(clean))
    await CustomerRow.update(changes).where(
        CustomerRow.workspace_id == current_workspace(), CustomerRow.customer_id == customer_id
    )
    return await queries.customer(customer_id)


async def find_or_create_customer(details: CustomerDetails, *, clock: Clock) -> CustomerId:
    """Return the customer an imported document means, adding it if nobody matches (`matching.match_key`).

    A customer that is found stays as it is. What is doubtful in a foreign document (its country, its
    e-mail address) is left out rather than refused. Invalid("customer.name").
    """
    clean = _tolerated(details)
    workspace_id, key = current_workspace(), _key(clean)
    await execute(_LOCK_KEY, workspace_id, key)
    found = await fetch_value(_OLDEST_MATCH, workspace_id, key)
    if found is not None:
        return CustomerId(found)
    return (await _insert(clean, clock)).customer_id


async def add_contact(
    customer_id: CustomerId, *, email: str, name: str = "", locale: str | None = None, clock: Clock
) -> Contact:
    """Add a person to a customer.

    Missing("customer.not_found"), Invalid (`email.invalid`, `locale.unknown`), Conflict("contact.exists")
    if the customer has a contact with this address.
    """
    await queries.customer(customer_id)
    row = ContactRow(
        workspace_id=current_workspace(),
        contact_id=new_id(),
        customer_id=customer_id,
        name=clean_line(name)[: values.LONGEST_NAME],
        email=check_email(email),
        locale=None if locale is None else check_locale(locale),
        created_at=clock.now(),
    )
    try:
        async with savepoint():
            await ContactRow.insert(row)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("contact.exists", "The customer has a contact with this address.") from error
    return await queries.contact(ContactId(row.contact_id))


async def know_contact(customer_id: CustomerId, *, email: str, name: str, clock: Clock) -> None:
    """Add the contact an imported document names, unless the customer has it or it cannot be an address."""
    address = values.tolerated_email(email)
    if address:
        row = (
            current_workspace(),
            new_id(),
            customer_id,
            clean_line(name)[: values.LONGEST_NAME],
            address,
            clock.now(),
        )
        await execute(_KNOW_CONTACT, *row)


async def remove_contact(contact_id: ContactId) -> None:
    """Remove a contact; Missing("contact.not_found"), Conflict("contact.has_links") if links were made for it."""
    removed = ContactRow.delete().where(
        ContactRow.workspace_id == current_workspace(), ContactRow.contact_id == contact_id
    )
    try:
        async with savepoint():
            gone = await removed.returning(ContactRow.contact_id)
    except asyncpg.ForeignKeyViolationError as error:
        words = "Links were made for this contact: revoke them instead."
        raise Conflict("contact.has_links", words) from error
    if not gone:
        raise Missing("contact.not_found", "There is no such contact.")


async def _insert(clean: CustomerDetails, clock: Clock) -> Customer:
    customer_id = CustomerId(new_id())
    await CustomerRow.insert(
        CustomerRow(
            **_columns(clean),
            workspace_id=current_workspace(),
            customer_id=customer_id,
            match_key=_key(clean),
            created_at=clock.now(),
        )
    )
    return Customer(customer_id, clean)


def _checked(details: CustomerDetails) -> CustomerDetails:
    return _clean(
        details,
        country=values.check_country(details.country),
        email=check_email(details.email) if details.email else "",
        locale=None if details.locale is None else check_locale(details.locale),
    )


def _tolerated(details: CustomerDetails) -> CustomerDetails:
    return _clean(
        details,
        country=values.tolerated_country(details.country),
        email=values.tolerated_email(details.email),
        locale=details.locale,
    )


def _clean(details: CustomerDetails, *, country: str, email: str, locale: str | None) -> CustomerDetails:
    return CustomerDetails(
        name=values.check_name(details.name),
        street=clean_line(details.street),
        additional=clean_line(details.additional),
        postal_code=clean_line(details.postal_code),
        city=clean_line(details.city),
        subdivision=clean_line(details.subdivision),
        country=country,
        vat_id=clean_vat_number(details.vat_id),
        identifier=clean_identifier(details.identifier),
        email=email,
        locale=locale,
    )


def _columns(details: CustomerDetails) -> dict[str, Any]:
    return dataclasses.asdict(details)


def _key(details: CustomerDetails) -> str:
    return match_key(
        name=details.name,
        vat_id=details.vat_id,
        identifier=details.identifier,
        postal_code=details.postal_code,
        country=details.country,
    )
