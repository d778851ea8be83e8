"""What happened to customers and their contacts. Their data is personal: events hold ids and names of fields."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from tenants.activity.events import Change, Event


class CustomerCreated(Event, frozen=True, kw_only=True):
    """A member added a customer, or an import did."""

    kind: ClassVar[str] = "customer.created"

    customer_id: UUID


class CustomerUpdated(Event, frozen=True, kw_only=True):
    """Details of a customer changed."""

    kind: ClassVar[str] = "customer.updated"

    customer_id: UUID
    fields: tuple[str, ...]
    """The names of the details that changed."""


class CustomerWriteAuthorityChanged(Event, frozen=True, kw_only=True):
    """Who may write comments on a customer's invoices changed; without values it is the workspace's setting."""

    kind: ClassVar[str] = "customer.write_authority_changed"

    customer_id: UUID
    changes: dict[str, Change]


class ContactAdded(Event, frozen=True, kw_only=True):
    """A customer has one more contact."""

    kind: ClassVar[str] = "contact.added"

    contact_id: UUID
    customer_id: UUID


class ContactRemoved(Event, frozen=True, kw_only=True):
    """A contact was deleted."""

    kind: ClassVar[str] = "contact.removed"

    contact_id: UUID
    customer_id: UUID
