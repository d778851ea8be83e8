"""Piccolo's picture of the tables is Postgres': every column, its type and whether it may be null."""

from __future__ import annotations

import pytest
from piccolo.table import Table

from kernel.store import Database, fetch
from tenants.access.tables import Authenticator, OneTimeCode, RecoveryCode, Session
from tenants.activity.tables import Event, EventDraft, EventHead
from tenants.comments.tables import Comment, Thread, ThreadMute
from tenants.connect.inbox.tables import StripeInbox
from tenants.connect.tables import StripeConnection, StripeOnboarding, StripePaymentDomain
from tenants.customers.tables import Contact, Customer
from tenants.invoices.tables import (
    FreshLinkRequest,
    Invoice,
    InvoicePdf,
    InvoiceVersion,
    InvoiceView,
    Link,
    NumberSeries,
)
from tenants.payments.tables import LedgerEntry, PaymentAttempt, PaymentDispute, PaymentRefund
from tenants.workspaces.tables import BrandAsset, PortalDomain, Workspace

TABLES = (
    EventDraft,
    Event,
    EventHead,
    Workspace,
    BrandAsset,
    PortalDomain,
    Customer,
    Contact,
    NumberSeries,
    Invoice,
    InvoiceVersion,
    InvoicePdf,
    Link,
    InvoiceView,
    FreshLinkRequest,
    OneTimeCode,
    Session,
    Authenticator,
    RecoveryCode,
    Thread,
    Comment,
    ThreadMute,
    StripeInbox,
    StripeConnection,
    StripeOnboarding,
    StripePaymentDomain,
    PaymentAttempt,
    LedgerEntry,
    PaymentRefund,
    PaymentDispute,
    StripeConnection,
    StripeOnboarding,
    StripePaymentDomain,
)
TYPES = {"TIMESTAMPTZ": "timestamp with time zone"}
COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable
FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
"""


@pytest.mark.parametrize("table", TABLES)
async def test_a_tables_columns_are_those_of_the_migrations(svc: Database, table: type[Table]) -> None:
    async with svc.unbound():
        rows = await fetch(COLUMNS, table._meta.tablename)
    stored = {row["name"]: (row["type"], row["nullable"]) for row in rows}
    drawn = {
        column._meta.name: (
            TYPES.get(column.column_type, column.column_type.lower()),
            column._meta.null and not column._meta.primary_key,
        )
        for column in table._meta.columns
    }
    assert drawn == stored


async def test_every_table_of_the_product_is_drawn(svc: Database) -> None:
    async with svc.unbound():
        rows = await fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert {row["tablename"] for row in rows} == {table._meta.tablename for table in TABLES} | {
        "schema_migration",
        # The kernel's own, written in SQL alone.
        "job",
        "live_stream",
        "live_event",
        "job_worker",
        "schedule_occurrence",
    }
