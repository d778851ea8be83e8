"""Every action that writes emits events, none that changes nothing does, and no event holds a secret.

The exercises are compared with the `actions` modules: a new action without one fails.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest

import tenants
from kernel.store import Database, current_workspace, fetch
from tenants.activity.actions import emit
from tenants.activity.events import Event
from tenants.workspaces.tables import Workspace
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.tenants.exercises import EXERCISES
from tests.tenants.invoices.exercises import link
from tests.tenants.workspaces.exercises import verify

# They register themselves when they are imported.
PACKAGES = ("access", "comments", "connect", "customers", "invoices", "payments", "workspaces")
for package in PACKAGES:
    import_module(f"tests.tenants.{package}.exercises")

# Actions that emit nothing, each with its reason.
EXEMPT = {
    "access.actions.authenticators.begin_enrolment": "an authenticator counts once it is confirmed, which emits",
    "access.actions.authenticators.check_first_code": "counts attempts: proofs have no events",
    "access.actions.authenticators.check_totp": "counts attempts: proofs have no events",
    "access.actions.codes.check_code": "counts attempts: codes have no events",
    "access.actions.codes.make_code": "codes have no events",
    "access.actions.codes.request_code": "codes have no events",
    "access.actions.recovery_codes.confirm_enrolment": "hashes outside the unit of store_enrolment, which emits",
    "access.actions.recovery_codes.replace_recovery_codes": "the same with store_recovery_codes",
    "access.actions.retention.purge_proofs": "removes what has ended before",
    "access.actions.sessions.create_session": "sessions have no events, unless others end them",
    "access.actions.sessions.end_session": "sessions have no events, unless others end them",
    "access.actions.sessions.prove_totp": "sessions have no events, unless others end them",
    "access.actions.sessions.renew_session": "sessions have no events, unless others end them",
    "activity.actions.audit_refusal": "its event is the refusal",
    "activity.actions.create_event_head": "a part of create_workspace, which emits",
    "activity.actions.emit": "writes the events themselves",
    "activity.actions.prune_events": "removes events, by the retention of the log itself",
    "comments.actions.notifying.mark_notified": "a part of a job: mails have no events",
    "comments.actions.rows.lock_comment": "locks a row for actions that emit",
    "comments.actions.rows.lock_thread": "locks a row for actions that emit",
    "comments.actions.rows.update_comment": "a part of actions that emit",
    "comments.actions.rows.update_thread": "a part of actions that emit",
    "comments.actions.state.mark_seen": "reading is no change; the stream tells the other side",
    "connect.actions.accounts.advance_watermark": "a part of a job: what it lists has events",
    "connect.actions.accounts.record_payment_domain": "a part of a job: what Stripe offers where has no events",
    "connect.inbox.actions.add_listed_event": "an event of Stripe's; what its job changes has events",
    "connect.inbox.actions.mark_applied": "a part of a job",
    "connect.inbox.actions.mark_unread": "a part of a job",
    "connect.inbox.actions.reopen_events": "a part of record_account",
    "connect.inbox.actions.park": "a part of a job, which ends dead",
    "connect.inbox.actions.prune_inbox": "a job: what is removed was applied long ago",
    "connect.inbox.actions.receive": "an event of Stripe's; what its job changes has events",
    "connect.actions.onboarding.forget_business": "a part of setting an account up, which has events",
    "connect.actions.onboarding.keep_business": "the same",
    "connect.actions.onboarding.use_onboarding": "enqueues the job whose change of the account emits",
    "invoices.actions.mailing.request_fresh_links": "anybody may ask; the job emits what it issues",
    "invoices.actions.pdfs.enqueue_prerenders": "enqueues jobs: PDFs have no events",
    "invoices.actions.pdfs.request_pdf": "enqueues a job: PDFs have no events",
    "invoices.actions.pdfs.store_pdf": "stores a PDF: PDFs have no events",
    "invoices.actions.rows.insert_version": "a part of actions that emit",
    "invoices.actions.rows.lock_draft": "locks a row for actions that emit",
    "invoices.actions.rows.lock_invoice": "locks a row for actions that emit",
    "invoices.actions.rows.update_invoice": "a part of actions that emit",
    "invoices.actions.rows.update_version": "a part of actions that emit",
    "invoices.actions.views.record_views": "views have a log of their own",
    "payments.actions.beginning.begin": "attempts have no events; settle emits what moved",
    "payments.actions.beginning.follow": "the same",
    "payments.actions.booking.book_movement": "a part of record_payment and settle, which emit",
    "payments.actions.cancelling.cancel_attempt": "attempts have no events; settle emits what moved",
    "payments.actions.cancelling.cancel_open_payments": "the same",
    "payments.actions.cancelling.cancel_payment": "the same",
    "payments.actions.cancelling.mark_unreachable": "the same",
    "payments.actions.checking.check_payment": "the same",
    "payments.actions.closing.add_invoice_version": "calls the action on the invoice, which emits",
    "payments.actions.closing.void_invoice": "the same",
    "payments.actions.closing.write_off_invoice": "the same",
    "payments.actions.refunding.send_refund": "settle emits what moved, and a refusal its end",
    "payments.actions.rows.enqueue_check": "attempts have no events",
    "payments.actions.rows.find_attempt_by_intent": "reads a row for actions",
    "payments.actions.rows.find_attempt_by_nonce": "reads a row for actions",
    "payments.actions.rows.insert_attempt": "attempts have no events",
    "payments.actions.rows.lock_attempt": "locks a row for actions that emit",
    "payments.actions.rows.move_attempt": "attempts have no events",
    "payments.actions.rows.restart_checks": "attempts have no events",
    "payments.actions.rows.resume_payments": "attempts have no events",
    "workspaces.actions.rows.lock_workspace": "locks a row for actions that emit",
}
# Tables whose rows have no events: jobs, PDFs, views and streams; and the events themselves.
WITHOUT_EVENTS = {
    "event_draft",
    "event_head",
    "job",
    "invoice_pdf",
    "invoice_view",
    "live_event",
    "live_stream",
    "payment_attempt",
}
# Of these one whose rows change alone, without anything else: only the streams' epochs do.
ALONE = {"live_stream"}
# Counts what this transaction wrote, whatever statement did it.
WRITTEN = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS rows FROM pg_stat_xact_user_tables"
EVENTS = (
    "SELECT kind, payload, context::text AS context FROM event_draft WHERE workspace_id = $1 ORDER BY entry"
)
SECRETS = """
SELECT encode(token_hash, 'hex') AS secret FROM link WHERE workspace_id = $1
UNION ALL SELECT encode(token_sealed, 'hex') FROM link WHERE workspace_id = $1
UNION ALL SELECT verify_token FROM portal_domain WHERE workspace_id = $1
UNION ALL SELECT cname_label FROM workspace WHERE workspace_id = $1
UNION ALL SELECT encode(data_key, 'hex') FROM workspace WHERE workspace_id = $1
UNION ALL SELECT name FROM customer WHERE workspace_id = $1
UNION ALL SELECT email FROM customer WHERE workspace_id = $1 AND email <> ''
UNION ALL SELECT email FROM contact WHERE workspace_id = $1
UNION ALL SELECT name FROM contact WHERE workspace_id = $1 AND name <> ''
UNION ALL SELECT author_name FROM comment WHERE workspace_id = $1
UNION ALL SELECT author_email FROM comment WHERE workspace_id = $1 AND author_email <> ''
UNION ALL SELECT body FROM comment WHERE workspace_id = $1 AND body <> ''
UNION ALL SELECT email FROM thread_mute WHERE workspace_id = $1
UNION ALL SELECT email FROM fresh_link_request WHERE workspace_id = $1
UNION ALL SELECT email FROM workspace WHERE workspace_id = $1 AND email <> ''
UNION ALL SELECT bank_account FROM workspace WHERE workspace_id = $1 AND bank_account <> ''
UNION ALL SELECT subject_id FROM session WHERE workspace_id = $1
UNION ALL SELECT subject_id FROM authenticator WHERE workspace_id = $1
UNION ALL SELECT encode(secret_sealed, 'hex') FROM authenticator WHERE workspace_id = $1
UNION ALL SELECT encode(code_hash, 'hex') FROM recovery_code WHERE workspace_id = $1
UNION ALL SELECT encode(token_hash, 'hex') FROM stripe_onboarding WHERE workspace_id = $1
UNION ALL SELECT payload ->> 'url' FROM job WHERE workspace_id = $1 AND payload ->> 'url' IS NOT NULL
"""


class WorkspaceRenamed(Event, frozen=True, kw_only=True):
    kind: ClassVar[str] = "workspace.renamed"

    words: str


@dataclass(frozen=True, slots=True)
class Observation:
    """What one unit of work did: the tables it wrote, the events it emitted, the secrets in those."""

    tables: set[str]
    kinds: list[str]
    payloads: list[dict[str, Any]]
    leaks: set[str]


def find_actions() -> dict[str, Any]:
    """Return the public coroutine functions of all `actions` modules by their names."""
    found = {}
    for module in pkgutil.walk_packages(tenants.__path__, "tenants."):
        if "actions" in module.name.split("."):
            for name, function in inspect.getmembers(import_module(module.name), inspect.iscoroutinefunction):
                if not name.startswith("_") and function.__module__ == module.name:
                    found[build_full_name(function)] = function
    return found


def build_full_name(action: Any) -> str:
    return f"{action.__module__.removeprefix('tenants.')}.{action.__name__}"


async def count_written() -> dict[str, int]:
    return {row["relname"]: row["rows"] for row in await fetch(WRITTEN)}


async def observe(
    database: Database, svc: Database, workspace_id: UUID, action: Callable[[], Awaitable[Any]]
) -> Observation:
    """Run an action in a unit of work, and return what it wrote and emitted."""
    async with svc.unbound():
        earlier = len(await fetch(EVENTS, workspace_id))
    async with database.scope(workspace_id):
        before = await count_written()
        outcome = await action()
        after = await count_written()
    async with svc.unbound():
        events = (await fetch(EVENTS, workspace_id))[earlier:]
        secrets = {row["secret"] for row in await fetch(SECRETS, workspace_id)}
    secrets |= {getattr(outcome, "token", None), getattr(outcome, "verify_token", None)} - {None}
    stored = " ".join(event["payload"] + event["context"] for event in events)
    tables = {table for table, rows in after.items() if rows > before.get(table, 0)}
    return Observation(
        tables=tables - WITHOUT_EVENTS or tables & ALONE,
        kinds=[event["kind"] for event in events],
        payloads=[msgspec.json.decode(event["payload"]) for event in events],
        leaks={secret for secret in secrets if secret in stored},
    )


def test_every_action_has_an_exercise_or_an_exemption() -> None:
    exercised = {build_full_name(exercise.action) for exercise in EXERCISES.values() if exercise.kinds}
    assert exercised | EXEMPT.keys() == find_actions().keys()
    assert not exercised & EXEMPT.keys()


@pytest.mark.parametrize("name", EXERCISES)
async def test_an_action_emits_what_it_changed(acme: SampleWorkspace, svc: Database, name: str) -> None:
    exercise = EXERCISES[name]
    prepared = await exercise.prepare(acme)
    observed = await observe(
        acme.database,
        svc,
        prepared.workspace_id or acme.workspace_id,
        lambda: exercise.action(*prepared.arguments, **(prepared.options or {})),
    )
    assert observed.kinds == list(exercise.kinds)
    assert bool(observed.tables) == bool(observed.kinds)
    for field, value in exercise.payload.items():
        assert observed.payloads[-1][field] == value
    assert observed.leaks == set()


async def test_an_action_that_writes_and_emits_nothing_is_observed(
    acme: SampleWorkspace, svc: Database
) -> None:
    async def rename() -> None:
        await Workspace.update({Workspace.name: "Silent"}).where(
            Workspace.workspace_id == current_workspace()
        )

    observed = await observe(acme.database, svc, acme.workspace_id, rename)
    assert (observed.tables, observed.kinds) == ({"workspace"}, [])


async def test_a_secret_in_an_event_is_observed(acme: SampleWorkspace, svc: Database) -> None:
    token, domain = (await link(acme)).token, await verify(acme)

    async def emit_secret() -> None:
        await emit(WorkspaceRenamed(words=f"proven by {domain.verify_token}"))

    async def show_token() -> Any:
        await emit(WorkspaceRenamed(words=f"opened by {token}"))
        return SimpleNamespace(token=token)

    assert (await observe(acme.database, svc, acme.workspace_id, emit_secret)).leaks == {domain.verify_token}
    assert (await observe(acme.database, svc, acme.workspace_id, show_token)).leaks == {token}


async def test_an_action_emits_in_its_own_workspace_only(
    acme: SampleWorkspace, rival: SampleWorkspace, svc: Database
) -> None:
    await link(acme)
    async with svc.unbound():
        assert [event["kind"] for event in await fetch(EVENTS, rival.workspace_id)] == ["workspace.created"]
