"""What happened to invoices, their numbers and their links. Amounts are in minor units of the currency."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar
from uuid import UUID

from tenants.activity.events import Change, Event


class _InvoiceEvent(Event, frozen=True, kw_only=True):
    invoice_id: UUID


class DraftCreated(_InvoiceEvent, frozen=True, kw_only=True):
    """A member began an invoice."""

    kind: ClassVar[str] = "invoice.draft_created"

    customer_id: UUID
    currency: str
    total_minor: int


class DraftUpdated(_InvoiceEvent, frozen=True, kw_only=True):
    """The content of a draft was replaced."""

    kind: ClassVar[str] = "invoice.draft_updated"

    currency: str
    total_minor: int


class DraftDiscarded(_InvoiceEvent, frozen=True, kw_only=True):
    """A draft was deleted, with the links to it."""

    kind: ClassVar[str] = "invoice.draft_discarded"


class InvoiceIssued(_InvoiceEvent, frozen=True, kw_only=True):
    """A draft got its number, and its content is final."""

    kind: ClassVar[str] = "invoice.issued"

    customer_id: UUID
    number: str
    series: str
    version: int
    currency: str
    total_minor: int
    issue_date: dt.date | None
    due_date: dt.date | None


class InvoiceImported(_InvoiceEvent, frozen=True, kw_only=True):
    """An invoice of another system was added under its own number."""

    kind: ClassVar[str] = "invoice.imported"

    customer_id: UUID
    number: str
    version: int
    currency: str
    total_minor: int
    issue_date: dt.date | None
    due_date: dt.date | None


class VersionAdded(_InvoiceEvent, frozen=True, kw_only=True):
    """An issued invoice has a new version."""

    kind: ClassVar[str] = "invoice.version_added"

    version: int
    currency: str
    changes: dict[str, Change]
    """Of `total_minor` what changed; of `status` too before it was independent of what was paid."""


class InvoiceSent(_InvoiceEvent, frozen=True, kw_only=True):
    """A mail with a link of its own is to be sent to a contact."""

    kind: ClassVar[str] = "invoice.sent"

    contact_id: UUID
    link_id: UUID


class PaidAmountChanged(_InvoiceEvent, frozen=True, kw_only=True):
    """The amount that was paid in all changed: of the time before each movement had an event of its own."""

    kind: ClassVar[str] = "invoice.paid_amount_changed"

    currency: str
    changes: dict[str, Change]
    """Of `paid_minor` and `status`, what changed."""


class InvoiceVoided(_InvoiceEvent, frozen=True, kw_only=True):
    """An issued invoice was declared void."""

    kind: ClassVar[str] = "invoice.voided"


class InvoiceWrittenOff(_InvoiceEvent, frozen=True, kw_only=True):
    """The workspace gave up what was outstanding."""

    kind: ClassVar[str] = "invoice.written_off"

    currency: str
    outstanding_minor: int


class InvoiceWriteAuthorityChanged(_InvoiceEvent, frozen=True, kw_only=True):
    """Who may write comments on an invoice changed; without values it is the customer's or workspace's setting."""

    kind: ClassVar[str] = "invoice.write_authority_changed"

    changes: dict[str, Change]


class SeriesChanged(Event, frozen=True, kw_only=True):
    """A series of numbers was created or changed."""

    kind: ClassVar[str] = "number_series.changed"

    series: str
    changes: dict[str, Change]
    """Of `prefix`, `digits` and `next_number`, what changed."""


class _LinkEvent(Event, frozen=True, kw_only=True):
    link_id: UUID
    invoice_id: UUID


class LinkIssued(_LinkEvent, frozen=True, kw_only=True):
    """An invoice has one more link."""

    kind: ClassVar[str] = "link.issued"

    contact_id: UUID | None
    expires_at: dt.datetime
    replaces: UUID | None = None
    """The link that was revoked for it."""


class LinkShown(_LinkEvent, frozen=True, kw_only=True):
    """The token of a link was shown again."""

    kind: ClassVar[str] = "link.shown"

    expires_at: dt.datetime


class LinkRevoked(_LinkEvent, frozen=True, kw_only=True):
    """A link no longer opens its invoice."""

    kind: ClassVar[str] = "link.revoked"
