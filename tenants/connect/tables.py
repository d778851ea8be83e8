"""Rows of connected accounts: the columns as Piccolo sees them; keys and constraints are in the migrations."""

from __future__ import annotations

from piccolo.columns import UUID, Array, Boolean, Bytea, Integer, Text, Timestamptz
from piccolo.table import Table

from kernel.store import ENGINE


class StripeConnection(Table, db=ENGINE, tablename="stripe_connection"):
    """A workspace's account at Stripe; all but one are disconnected."""

    workspace_id = UUID()
    connection_id = UUID(primary_key=True)
    account_id = Text(null=True, default=None)
    is_live = Boolean()
    business = Array(base_column=Text(), null=True, default=None)
    state = Text()
    card_capability = Text(default="none")
    requirements = Array(base_column=Text(), default=list)
    application_fee_bp = Integer(default=0)
    checked_at = Timestamptz(null=True, default=None)
    events_watermark = Timestamptz(null=True, default=None)
    created_at = Timestamptz()
    connected_at = Timestamptz(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)


class StripeOnboarding(Table, db=ENGINE, tablename="stripe_onboarding"):
    """A link back from Stripe's pages; only the hash of its token is stored."""

    workspace_id = UUID()
    connection_id = UUID()
    token_hash = Bytea(primary_key=True)
    created_at = Timestamptz()
    expires_at = Timestamptz()
    used_at = Timestamptz(null=True, default=None)


class StripePaymentDomain(Table, db=ENGINE, tablename="stripe_payment_domain"):
    """A host that an account knows."""

    workspace_id = UUID()
    connection_id = UUID()
    host = Text(primary_key=True)
    provider_id = Text()
    state = Text()
    problems = Array(base_column=Text(), default=list)
    checked_at = Timestamptz()
