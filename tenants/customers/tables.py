"""Rows of customers: the columns as Piccolo sees them; keys and constraints are in the migrations."""

from __future__ import annotations

from piccolo.columns import UUID, Boolean, Text, Timestamptz
from piccolo.table import Table

from kernel.store import ENGINE


class Customer(Table, db=ENGINE, tablename="customer"):
    """Whom the workspace sends invoices to."""

    workspace_id = UUID()
    customer_id = UUID(primary_key=True)
    name = Text()
    street = Text(default="")
    additional = Text(default="")
    postal_code = Text(default="")
    city = Text(default="")
    subdivision = Text(default="")
    country = Text(default="")
    vat_id = Text(default="")
    identifier = Text(default="")
    email = Text(default="")
    locale = Text(null=True, default=None)
    match_key = Text()
    created_at = Timestamptz()
    write_mode = Text(null=True, default=None)
    write_totp = Boolean(null=True, default=None)
    otp_policy = Text(null=True, default=None)


class Contact(Table, db=ENGINE, tablename="contact"):
    """A person at a customer."""

    workspace_id = UUID()
    contact_id = UUID(primary_key=True)
    customer_id = UUID()
    name = Text(default="")
    email = Text()
    locale = Text(null=True, default=None)
    created_at = Timestamptz()
