"""Rows of the inbox: the columns as Piccolo sees them; keys and constraints are in the migrations."""

from __future__ import annotations

from piccolo.columns import UUID, Boolean, Text, Timestamptz
from piccolo.table import Table

from kernel.store import ENGINE


class StripeInbox(Table, db=ENGINE, tablename="stripe_inbox"):
    """A verified event of a connected account."""

    workspace_id = UUID()
    scope = Text()
    account_id = Text()
    event_id = Text(primary_key=True)
    kind = Text()
    subject = Text()
    intent_id = Text()
    is_live = Boolean()
    source = Text()
    state = Text()
    occurred_at = Timestamptz()
    received_at = Timestamptz()
    ended_at = Timestamptz(null=True)
    error = Text()
