"""The database structure of the whole product: its migrations, and the lists that the catalog test compares."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Final

import tenants
from kernel.store.catalog import find_violations
from kernel.store.migrations import Migration, read_folder
from kernel.store.migrations import migrate as run_migrations
from kernel.store.roles import APP, SVC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kernel.store.pool import Connection

#: Of an invoice: all that actions change.
_INVOICE_COLUMNS: Final = (
    "status, number, series, version, currency, total_minor, buyer_name, issue_date, due_date, created_at, changed_at,"
    " issued_at, write_mode, write_totp, otp_policy"
)
_DRAFT_COLUMNS: Final = "workspace_id, kind, payload, audit_only, actor_kind, actor_id, context"

#: Tables without a workspace_id and what app may do there; each needs its reason in a comment.
UNSCOPED: Final[Mapping[str, str]] = {
    "job_worker": "SELECT, INSERT, UPDATE, DELETE",  # workers serve all workspaces; each stores the kinds it can do
    "schedule_occurrence": "",  # the schedules are the installation's; only the scheduler, role svc, writes here
}

#: Scoped tables on which a role has less than all rights, each with its reason.
GRANTS: Final[Mapping[str, Mapping[str, str]]] = {
    # Actions insert drafts and do not read them; the database sets time, order and id.
    "event_draft": {APP: f"INSERT ({_DRAFT_COLUMNS})", SVC: "SELECT, DELETE"},
    # Append-only: no role updates events, and only retention deletes them, the oldest first.
    "event": {APP: "SELECT", SVC: "SELECT, INSERT, DELETE"},
    # Created with its workspace, at place 0; after that only the sequencer and retention write it.
    "event_head": {APP: "SELECT, INSERT (workspace_id)", SVC: "SELECT, UPDATE"},
    # What was paid, is held and disputed are copies, which only triggers write, as svc.
    "invoice": {APP: f"SELECT, INSERT, UPDATE ({_INVOICE_COLUMNS}), DELETE"},
    # Append-only.
    "ledger_entry": {APP: "SELECT, INSERT", SVC: "SELECT"},
    # What was tried, refunded or disputed is never deleted.
    "payment_attempt": {APP: "SELECT, INSERT, UPDATE", SVC: "SELECT"},
    "payment_dispute": {APP: "SELECT, INSERT, UPDATE", SVC: "SELECT"},
    "payment_refund": {APP: "SELECT, INSERT, UPDATE", SVC: "SELECT"},
}

#: Indexes that do not begin with workspace_id, because they serve queries over all workspaces.
GLOBAL_INDEXES: Final = frozenset(
    {
        "job_ended",  # the relay, role svc, prunes jobs of all workspaces
        "job_leased",  # and marks jobs dead whose workers died
        "job_dispatched",  # and dispatches again
        "job_done",  # the duration of a kind of jobs, over all workspaces
        "job_waiting",  # and dispatches by turns
        "stripe_inbox_parked",  # the relay measures how many events of all workspaces are set aside
        "stripe_inbox_waiting",  # and how long the oldest waits
        "stripe_connection_account",  # one account, one workspace
        "stripe_connection_any_account",  # and the one that it was last connected to
        "stripe_onboarding_token",  # the page that Stripe leads back to is on a host of no workspace
        "portal_domain_host",  # which workspace a host belongs to; one host, one workspace
        "workspace_slug",  # a slug is the label of a host, public by nature
    }
)

#: The only SECURITY DEFINER functions: they do what the role app may not.
DEFINERS: Final = frozenset(
    {
        "portal_copy_disputed()",  # triggers that write what app may not: the copies of an invoice
        "portal_copy_held()",
        "portal_copy_paid()",
        "portal_find_stripe_onboarding(bytea[])",  # the workspace of a link back from Stripe
        "portal_find_stripe_workspace(text,boolean,text)",  # the workspace of an account at Stripe
        "portal_live_heads(uuid[],uuid[])",  # epochs and counters of streams that the caller names, in any workspaces
        "portal_prune_events(timestamp with time zone,integer)",  # of the bound workspace: app may delete none
        "portal_queue_load(text,text,integer,integer)",
        "portal_workspace_by_host(text)",
    }
)

#: The triggers that make issued invoices and the ledger immutable, and that copy sums of the ledger to invoices.
TRIGGERS: Final = frozenset(
    {
        "invoice.invoice_begins_unpaid",
        "invoice.invoice_number_immutable",
        "invoice.invoice_undeletable",
        "invoice_pdf.invoice_pdf_immutable",
        "invoice_version.invoice_version_immutable",
        "ledger_entry.ledger_entry_copied",
        "ledger_entry.ledger_entry_immutable",
        "ledger_entry.ledger_entry_untruncatable",
        "payment_attempt.payment_attempt_copied",
        "payment_attempt.payment_attempt_final",
        "payment_dispute.payment_dispute_copied",
    }
)

#: Every foreign key that must be there: without it a row could name one of another workspace.
FOREIGN_KEYS: Final = frozenset(
    {
        "authenticator.authenticator_workspace_id_fkey",
        "brand_asset.brand_asset_workspace_id_fkey",
        "comment.comment_workspace_id_invoice_id_fkey",
        "comment.comment_workspace_id_link_id_fkey",
        "comment.comment_workspace_id_session_id_fkey",
        "contact.contact_workspace_id_customer_id_fkey",
        "customer.customer_workspace_id_fkey",
        "event_head.event_head_workspace_id_fkey",
        "fresh_link_request.fresh_link_request_workspace_id_fkey",
        "invoice.invoice_current_version_fkey",
        "invoice.invoice_workspace_id_customer_id_fkey",
        "invoice.invoice_workspace_id_fkey",
        "invoice.invoice_workspace_id_series_fkey",
        "invoice_pdf.invoice_pdf_workspace_id_invoice_id_version_fkey",
        "invoice_version.invoice_version_workspace_id_invoice_id_fkey",
        "invoice_view.invoice_view_workspace_id_invoice_id_fkey",
        "invoice_view.invoice_view_workspace_id_link_id_fkey",
        "ledger_entry.ledger_entry_workspace_id_invoice_id_attempt_id_fkey",
        "ledger_entry.ledger_entry_workspace_id_invoice_id_fkey",
        "link.link_workspace_id_customer_id_contact_id_fkey",
        "link.link_workspace_id_customer_id_invoice_id_fkey",
        "live_event.live_event_workspace_id_stream_id_fkey",
        "live_stream.live_stream_workspace_id_fkey",
        "number_series.number_series_workspace_id_fkey",
        "one_time_code.one_time_code_workspace_id_customer_id_fkey",
        "one_time_code.one_time_code_workspace_id_fkey",
        "payment_attempt.payment_attempt_workspace_id_invoice_id_fkey",
        "payment_dispute.payment_dispute_workspace_id_invoice_id_attempt_id_fkey",
        "payment_refund.payment_refund_workspace_id_invoice_id_attempt_id_fkey",
        "portal_domain.portal_domain_workspace_id_fkey",
        "recovery_code.recovery_code_workspace_id_authenticator_id_fkey",
        "session.session_workspace_id_fkey",
        "stripe_inbox.stripe_inbox_workspace_id_fkey",
        "stripe_connection.stripe_connection_workspace_id_fkey",
        "stripe_onboarding.stripe_onboarding_workspace_id_connection_id_fkey",
        "stripe_payment_domain.stripe_payment_domain_workspace_id_connection_id_fkey",
        "thread.thread_workspace_id_invoice_id_fkey",
        "thread_mute.thread_mute_workspace_id_invoice_id_fkey",
        "workspace.workspace_logo",
    }
)


def migrations() -> tuple[Migration, ...]:
    """Return every migration of the product in order, the kernel's tables included."""
    return read_folder(files(tenants) / "migrations")


def version() -> int:
    """Return the number of the newest migration, or 0."""
    return max((migration.number for migration in migrations()), default=0)


async def migrate(owner_url: str) -> list[Migration]:
    """Bring a database to this release's structure and policies; returns what was applied."""
    return await run_migrations(owner_url, migrations(), unscoped=UNSCOPED, grants=GRANTS)


async def find_tenancy_violations(connection: Connection) -> list[str]:
    """Return a sentence for everything in a database that could let one workspace reach another."""
    return await find_violations(
        connection,
        unscoped=UNSCOPED,
        global_indexes=GLOBAL_INDEXES,
        definer_functions=DEFINERS,
        triggers=TRIGGERS,
        foreign_keys=FOREIGN_KEYS,
        grants=GRANTS,
    )
