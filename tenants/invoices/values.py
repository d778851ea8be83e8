"""What reads of invoices and links return, and the closed sets of the view log."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from uuid import UUID

import msgspec

from kernel.ids import WorkspaceId
from kernel.live import Cursor
from kernel.money import Money
from tenants.access.values import Session
from tenants.ids import ContactId, CustomerId, InvoiceId, LinkId
from tenants.invoices.amounts import Totals
from tenants.invoices.content import Content
from tenants.invoices.status import InvoiceStatus
from tenants.workspaces.authority import WriteAuthority


class ActorClass(StrEnum):
    """Who viewed an invoice; only a human's view counts."""

    OWNER_PREVIEW = "owner_preview"
    SCANNER = "scanner"
    PREFETCH = "prefetch"
    HUMAN = "human"


@dataclass(frozen=True, slots=True)
class View:
    """One view of an invoice. With the same `view_id` it is stored once, however often it is written."""

    view_id: UUID
    invoice_id: InvoiceId
    link_id: LinkId | None
    actor: ActorClass
    viewed_at: dt.datetime
    address: IPv4Address | IPv6Address | None
    user_agent: str
    request_id: str


class InvoiceVersion(NamedTuple):
    """One version of an invoice; `number` is None for a draft."""

    content: Content
    totals: Totals
    number: str | None


@dataclass(frozen=True, slots=True)
class PdfSource:
    """One version of an invoice, with what else its PDF depends on.

    `created_at` is when it was issued, or a draft written. `hash_input` has the same bytes for the same content.
    """

    content: Content
    totals: Totals
    number: str | None
    is_issued: bool
    created_at: dt.datetime
    hash_input: bytes


@dataclass(frozen=True, slots=True)
class Pdf:
    """A stored PDF: `sha256` (hex) of its bytes is its ETag, `key` names its blob."""

    workspace_id: WorkspaceId
    sha256: str
    size: int
    is_pinned: bool

    @property
    def key(self) -> str:
        """The name of its blob."""
        return f"{self.workspace_id}/pdf/{self.sha256}.pdf"


@dataclass(frozen=True, slots=True)
class PendingPdf:
    """A PDF that is not ready. Try again in about `after_s` seconds; `code` is the error that delays it, or empty."""

    after_s: int
    code: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceSummary:
    """An invoice in a list. `total` is what it asks for: with tax, less what was prepaid when written.

    `held` is the sum of the payments that are under way, `processing` of those of them that are confirmed.
    """

    invoice_id: InvoiceId
    customer_id: CustomerId
    customer_name: str
    number: str | None
    status: InvoiceStatus
    total: Money
    paid: Money
    held: Money
    processing: Money
    is_disputed: bool
    issue_date: dt.date | None
    due_date: dt.date | None
    version: int
    created_at: dt.datetime


@dataclass(frozen=True, slots=True)
class OpenAmounts:
    """What is to be paid in one currency, over `invoices` invoices; `overdue` is the part that is overdue."""

    invoices: int
    due: Money
    overdue: Money


class OpenedInvoice(msgspec.Struct, frozen=True):
    """An invoice as its link opens it: all that the summary needs; `version` refers to its content.

    `total` is what the invoice asks for: with tax, less what was prepaid when it was written. `locale` is
    the recipient's or else the customer's language; None means the workspace's. `changed_at` moves with
    every change of status, payment or version. `link_id` is None where a session opened it.
    """

    invoice_id: InvoiceId
    link_id: LinkId | None
    customer_id: CustomerId
    contact_id: ContactId | None
    number: str
    status: InvoiceStatus
    total: Money
    paid: Money
    held: Money
    processing: Money
    is_disputed: bool
    issue_date: dt.date
    due_date: dt.date | None
    version: int
    customer_name: str
    locale: str | None
    changed_at: dt.datetime


class Visitor(msgspec.Struct, frozen=True):
    """Who opened an invoice with an open session; `contact_id` if the address is a contact's of its customer."""

    session: Session
    contact_id: ContactId | None
    contact_name: str


class InvoiceAccess(msgspec.Struct, frozen=True):
    """An invoice that was opened, and what its thread needs.

    `cursor` is the customers' place in its stream; None before the first event. `visitor` is None without a session.
    """

    invoice: OpenedInvoice
    authority: WriteAuthority
    cursor: Cursor | None
    visitor: Visitor | None


class LinkState(StrEnum):
    """What a link does now, by the database's clock."""

    OPEN = "open"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class LinkSummary:
    """A link in the list of an invoice's links; its token is only shown by `actions.show_link`."""

    link_id: LinkId
    invoice_id: InvoiceId
    contact_id: ContactId | None
    recipient: str
    state: LinkState
    created_at: dt.datetime
    expires_at: dt.datetime
    last_shown_at: dt.datetime
    revoked_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class LinkWithToken:
    """A link with its token in the clear: for the member who asked, never for a log."""

    link_id: LinkId
    token: str = field(repr=False)
    expires_at: dt.datetime


@dataclass(frozen=True, slots=True)
class CheckedInvoice:
    """An invoice of another system with correct totals, encoded before the transaction that stores it."""

    number: str
    content: Content
    payable: Money
    encoded_content: str = field(repr=False)
    encoded_totals: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImportedInvoice:
    """An invoice that was imported."""

    invoice_id: InvoiceId
    customer_id: CustomerId
    number: str
    total: Money


@dataclass(frozen=True, slots=True)
class MailedLink:
    """An open link with its token, the invoice that it opens, and the contact that the mail is for."""

    link_id: LinkId
    token: str = field(repr=False)
    expires_at: dt.datetime
    invoice: InvoiceSummary
    contact_name: str
    email: str
    locale: str
    """The contact's, else the customer's, else the workspace's."""
