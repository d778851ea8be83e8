"""Rows of invoices: the columns as Piccolo sees them; keys, constraints and triggers are in the migrations."""

from __future__ import annotations

from piccolo.columns import JSONB, UUID, BigInt, Boolean, Bytea, Date, Integer, Text, Timestamptz
from piccolo.table import Table

from kernel.store import ENGINE
from kernel.store.columns import Network


class NumberSeries(Table, db=ENGINE, tablename="number_series"):
    """A series of invoice numbers; the lock of its row prevents gaps."""

    workspace_id = UUID()
    series = Text(primary_key=True)
    prefix = Text()
    digits = Integer()
    next_number = BigInt()


class Invoice(Table, db=ENGINE, tablename="invoice"):
    """An invoice as lists, filters and payments need it; its content is in its versions.

    What was paid, is held and is disputed are copies that triggers write: actions cannot.
    """

    workspace_id = UUID()
    invoice_id = UUID(primary_key=True)
    customer_id = UUID()
    status = Text()
    number = Text(null=True, default=None)
    series = Text(null=True, default=None)
    version = Integer()
    currency = Text()
    total_minor = BigInt()
    paid_minor = BigInt(default=0)
    buyer_name = Text()
    issue_date = Date(null=True, default=None)
    due_date = Date(null=True, default=None)
    created_at = Timestamptz()
    changed_at = Timestamptz()
    issued_at = Timestamptz(null=True, default=None)
    write_mode = Text(null=True, default=None)
    write_totp = Boolean(null=True, default=None)
    otp_policy = Text(null=True, default=None)
    held_minor = BigInt(default=0)
    processing_minor = BigInt(default=0)
    is_disputed = Boolean(default=False)


class InvoiceVersion(Table, db=ENGINE, tablename="invoice_version"):
    """A version of an invoice's content; immutable once issued."""

    workspace_id = UUID()
    invoice_id = UUID(primary_key=True)
    version = Integer()
    content = JSONB()
    totals = JSONB()
    created_at = Timestamptz()
    issued_at = Timestamptz(null=True, default=None)


class InvoicePdf(Table, db=ENGINE, tablename="invoice_pdf"):
    """A stored PDF of a version in one locale; a pinned one is final."""

    workspace_id = UUID()
    invoice_id = UUID(primary_key=True)
    version = Integer()
    locale = Text()
    fingerprint = Bytea()
    sha256 = Text()
    bytes = BigInt()
    pinned = Boolean()
    created_at = Timestamptz()


class Link(Table, db=ENGINE, tablename="link"):
    """A link that opens one invoice for one recipient."""

    workspace_id = UUID()
    link_id = UUID(primary_key=True)
    invoice_id = UUID()
    customer_id = UUID()
    contact_id = UUID(null=True, default=None)
    token_hash = Bytea()
    token_sealed = Bytea()
    created_at = Timestamptz()
    expires_at = Timestamptz()
    last_shown_at = Timestamptz()
    revoked_at = Timestamptz(null=True, default=None)


class InvoiceView(Table, db=ENGINE, tablename="invoice_view"):
    """One view of an invoice, and by whom."""

    workspace_id = UUID()
    view_id = UUID(primary_key=True)
    invoice_id = UUID()
    link_id = UUID(null=True, default=None)
    actor = Text()
    viewed_at = Timestamptz()
    address_prefix = Network(null=True, default=None)
    user_agent = Text(default="")
    request_id = Text(default="")


class FreshLinkRequest(Table, db=ENGINE, tablename="fresh_link_request"):
    """Somebody asked for fresh links to be sent to an address."""

    workspace_id = UUID()
    request_id = UUID(primary_key=True)
    email = Text()
    created_at = Timestamptz()
