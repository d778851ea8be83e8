"""Actions of members on customers; each function runs inside the caller's unit of work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import asyncpg
from piccolo.columns.combination import And

from kernel import live
from kernel.clock import Clock
from kernel.errors import Conflict, Missing
from kernel.identifiers import check_email, clean_vat_number
from kernel.ids import new_id
from kernel.store import current_workspace, execute, fetch_value, savepoint
from kernel.text import clean_identifier, clean_line
from tenants.activity.actions import emit
from tenants.activity.events import find_changes
from tenants.customers import queries, values
from tenants.customers.events import (
    ContactAdded,
    ContactRemoved,
    CustomerCreated,
    CustomerUpdated,
    CustomerWriteAuthorityChanged,
)
from tenants.customers.matching import build_match_key
from tenants.customers.tables import Contact as ContactRow
from tenants.customers.tables import Customer as CustomerRow
from tenants.customers.values import Contact, Customer, CustomerDetails
from tenants.ids import ContactId, CustomerId
from tenants.workspaces.authority import WriteAuthority, build_columns
from tenants.workspaces.profile import check_locale

# Of two concurrent imports for the same new buyer the second waits, and finds the customer that the first created.
_LOCK_MATCH_KEY: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1::uuid::text || $2, 1))"
_ADD_MISSING_CONTACT: Final = """
INSERT INTO contact (workspace_id, contact_id, customer_id, name, email, created_at)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, customer_id, email) DO NOTHING
RETURNING contact_id
"""


async def create_customer(details: CustomerDetails, *, clock: Clock) -> Customer:
    """Add a customer, also when another one has the same details.

    Invalid (`customer.name`, `country.invalid`, `email.invalid`, `locale.unknown`).
    """
    return await _insert(_validate(details), clock)


async def update_customer(customer_id: CustomerId, details: CustomerDetails) -> Customer:
    """Replace a customer's details; issued invoices do not change.

    Missing("customer.not_found"), Invalid as `create_customer`.
    """
    clean = _validate(details)
    row = await CustomerRow.select().where(_has_id(customer_id)).lock_rows("UPDATE").first()
    if row is None:
        raise queries.missing_customer()
    fields = tuple(name for name, value in asdict(clean).items() if value != row[name])
    if fields:
        await CustomerRow.update(_build_details(clean)).where(_has_id(customer_id))
        await emit(CustomerUpdated(customer_id=customer_id, fields=fields))
    return Customer(customer_id, clean)


async def set_write_authority(customer_id: CustomerId, authority: WriteAuthority | None) -> None:
    """Set who may write comments on a customer's invoices, unless an invoice says otherwise; None: as the workspace.

    Missing("customer.not_found").
    """
    row = (
        await CustomerRow.select(CustomerRow.write_mode, CustomerRow.write_totp, CustomerRow.otp_policy)
        .where(_has_id(customer_id))
        .lock_rows("UPDATE")
        .first()
    )
    if row is None:
        raise queries.missing_customer()
    changed = find_changes(row, build_columns(authority))
    if changed:
        await CustomerRow.update({column: change.after for column, change in changed.items()}).where(
            _has_id(customer_id)
        )
        await emit(CustomerWriteAuthorityChanged(customer_id=customer_id, changes=changed))


async def find_or_create_customer(details: CustomerDetails, *, clock: Clock) -> CustomerId:
    """Return the customer that an imported invoice names, and create it if none matches (`matching.build_match_key`).

    A customer that is found does not change. An invalid country or e-mail address of the document is left out
    instead of refused. Invalid("customer.name").
    """
    clean = _validate_imported(details)
    workspace_id, key = current_workspace(), _build_customer_match_key(clean)
    await execute(_LOCK_MATCH_KEY, workspace_id, key)
    oldest = (
        await CustomerRow.select(CustomerRow.customer_id)
        .where(CustomerRow.workspace_id == workspace_id, CustomerRow.match_key == key)
        .order_by(CustomerRow.created_at, CustomerRow.customer_id)
        .first()
    )
    if oldest is not None:
        return CustomerId(oldest["customer_id"])
    return (await _insert(clean, clock)).customer_id


async def add_contact(
    customer_id: CustomerId, *, email: str, name: str = "", locale: str | None = None, clock: Clock
) -> Contact:
    """Add a person to a customer.

    Missing("customer.not_found"), Invalid (`email.invalid`, `locale.unknown`), Conflict("contact.exists")
    if the customer has a contact with this address.
    """
    await queries.load_customer(customer_id)
    row = ContactRow(
        workspace_id=current_workspace(),
        contact_id=new_id(),
        customer_id=customer_id,
        name=clean_line(name)[: values.MAX_NAME_LENGTH],
        email=check_email(email),
        locale=None if locale is None else check_locale(locale),
        created_at=clock.now(),
    )
    try:
        async with savepoint():
            await ContactRow.insert(row)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("contact.exists", "The customer has a contact with this address.") from error
    await emit(ContactAdded(contact_id=row.contact_id, customer_id=customer_id))
    return Contact(ContactId(row.contact_id), customer_id, row.name, row.email, row.locale)


async def add_missing_contact(customer_id: CustomerId, *, email: str, name: str, clock: Clock) -> None:
    """Add the contact that an imported invoice names, unless the customer has it or the address is invalid."""
    address = values.drop_invalid_email(email)
    if not address:
        return
    contact_id = await fetch_value(
        _ADD_MISSING_CONTACT,
        current_workspace(),
        new_id(),
        customer_id,
        clean_line(name)[: values.MAX_NAME_LENGTH],
        address,
        clock.now(),
    )
    if contact_id is not None:
        await emit(ContactAdded(contact_id=contact_id, customer_id=customer_id))


async def remove_contact(contact_id: ContactId) -> None:
    """Remove a contact; Missing("contact.not_found"), Conflict("contact.has_links") if links were made for it."""
    try:
        async with savepoint():
            removed = await (
                ContactRow.delete()
                .where(ContactRow.workspace_id == current_workspace(), ContactRow.contact_id == contact_id)
                .returning(ContactRow.customer_id)
            )
    except asyncpg.ForeignKeyViolationError as error:
        message = "Links were made for this contact: revoke them instead."
        raise Conflict("contact.has_links", message) from error
    if not removed:
        raise Missing("contact.not_found", "There is no such contact.")
    # Whoever has signed in as this contact follows the customer's invoices no longer.
    live.revoke_after_commit(contact_id)
    await emit(ContactRemoved(contact_id=contact_id, customer_id=removed[0]["customer_id"]))


async def _insert(clean: CustomerDetails, clock: Clock) -> Customer:
    customer_id = CustomerId(new_id())
    await CustomerRow.insert(
        CustomerRow(
            **_build_details(clean),
            workspace_id=current_workspace(),
            customer_id=customer_id,
            created_at=clock.now(),
        )
    )
    await emit(CustomerCreated(customer_id=customer_id))
    return Customer(customer_id, clean)


def _has_id(customer_id: CustomerId) -> And:
    return (CustomerRow.workspace_id == current_workspace()) & (CustomerRow.customer_id == customer_id)


def _validate(details: CustomerDetails) -> CustomerDetails:
    return _clean(
        details,
        country=values.check_country(details.country),
        email=check_email(details.email) if details.email else "",
        locale=None if details.locale is None else check_locale(details.locale),
    )


def _validate_imported(details: CustomerDetails) -> CustomerDetails:
    return _clean(
        details,
        country=values.drop_invalid_country(details.country),
        email=values.drop_invalid_email(details.email),
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


def _build_details(details: CustomerDetails) -> dict[Any, Any]:
    return {**asdict(details), "match_key": _build_customer_match_key(details)}


def _build_customer_match_key(details: CustomerDetails) -> str:
    return build_match_key(
        name=details.name,
        vat_id=details.vat_id,
        identifier=details.identifier,
        postal_code=details.postal_code,
        country=details.country,
    )
