"""Rows of threads: the columns as Piccolo sees them; keys and constraints are in the migrations."""

from __future__ import annotations

from piccolo.columns import UUID, Array, BigInt, Boolean, Bytea, Text, Timestamptz
from piccolo.table import Table

from kernel.store import ENGINE


class Thread(Table, db=ENGINE, tablename="thread"):
    """What both sides have seen of an invoice's comments, and whether it is resolved."""

    workspace_id = UUID()
    invoice_id = UUID(primary_key=True)
    staff_seen_seq = BigInt(default=0)
    staff_seen_at = Timestamptz(null=True, default=None)
    customer_seen_seq = BigInt(default=0)
    customer_seen_at = Timestamptz(null=True, default=None)
    staff_notified_seq = BigInt(default=0)
    customer_notified_seq = BigInt(default=0)
    posted_at = Timestamptz()
    resolved_at = Timestamptz(null=True, default=None)


class Comment(Table, db=ENGINE, tablename="comment"):
    """A comment of either side, or an internal note of the staff."""

    workspace_id = UUID()
    comment_id = UUID(primary_key=True)
    invoice_id = UUID()
    client_id = Text()
    side = Text()
    is_internal = Boolean(default=False)
    author_name = Text()
    author_email = Text(default="")
    proofs = Array(base_column=Text())
    browser_hash = Bytea(null=True, default=None)
    link_id = UUID(null=True, default=None)
    session_id = UUID(null=True, default=None)
    body = Text()
    created_at = Timestamptz()
    edited_at = Timestamptz(null=True, default=None)
    deleted_at = Timestamptz(null=True, default=None)
    deleted_by = Text(null=True, default=None)
    staff_seq = BigInt()
    public_seq = BigInt(null=True, default=None)


class ThreadMute(Table, db=ENGINE, tablename="thread_mute"):
    """An address that gets no mail about new comments of an invoice."""

    workspace_id = UUID()
    invoice_id = UUID()
    email = Text(primary_key=True)
    created_at = Timestamptz()
