"""Rows of payments: the columns as Piccolo sees them; keys, constraints and triggers are in the migrations."""

from __future__ import annotations

from piccolo.columns import UUID, BigInt, Boolean, Integer, Text, Timestamptz
from piccolo.table import Table

from kernel.store import ENGINE


class PaymentAttempt(Table, db=ENGINE, tablename="payment_attempt"):
    """One click on "pay": its amount is held until the provider says how it ended."""

    workspace_id = UUID()
    attempt_id = UUID(primary_key=True)
    invoice_id = UUID()
    account_id = Text()
    intent_id = Text(null=True, default=None)
    nonce = Text()
    currency = Text()
    amount_minor = BigInt()
    state = Text()
    method_type = Text(default="")
    is_redirect = Boolean(default=False)
    failure_code = Text(default="")
    decline_code = Text(default="")
    is_late = Boolean(default=False)
    is_unreachable = Boolean(default=False)
    payer_kind = Text()
    payer_id = Text()
    payer_name = Text(default="")
    created_at = Timestamptz()
    changed_at = Timestamptz()
    expires_at = Timestamptz(null=True, default=None)
    checks = Integer(default=0)


class LedgerEntry(Table, db=ENGINE, tablename="ledger_entry"):
    """Money that moved; only ever added."""

    workspace_id = UUID()
    entry_id = UUID(primary_key=True)
    invoice_id = UUID()
    kind = Text()
    source_id = Text()
    currency = Text()
    amount_minor = BigInt()
    attempt_id = UUID(null=True, default=None)
    reference = Text(default="")
    occurred_at = Timestamptz()
    booked_at = Timestamptz()


class PaymentRefund(Table, db=ENGINE, tablename="payment_refund"):
    """A refund that the workspace asked for; those made at the provider are in the ledger alone."""

    workspace_id = UUID()
    refund_id = UUID(primary_key=True)
    invoice_id = UUID()
    attempt_id = UUID()
    amount_minor = BigInt()
    state = Text()
    source_id = Text(null=True, default=None)
    failure = Text(default="")
    created_at = Timestamptz()
    changed_at = Timestamptz()


class PaymentDispute(Table, db=ENGINE, tablename="payment_dispute"):
    """A dispute or inquiry at the provider about a payment."""

    workspace_id = UUID()
    dispute_id = UUID(primary_key=True)
    invoice_id = UUID()
    attempt_id = UUID()
    source_id = Text()
    amount_minor = BigInt()
    status = Text()
    reason = Text(default="")
    opened_at = Timestamptz()
    evidence_due_at = Timestamptz(null=True, default=None)
    changed_at = Timestamptz()
