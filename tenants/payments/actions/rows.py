"""The rows of attempts: found, inserted, locked and moved for the actions. The invoice is always locked first."""

from __future__ import annotations

import datetime as dt
from typing import Final

from kernel.actor import Actor
from kernel.clock import Clock
from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.money import Money
from kernel.store import current_workspace, execute, fetch, fetch_one
from tenants.ids import AttemptId, InvoiceId
from tenants.payments.jobs import CheckPayment, RefundPayment
from tenants.payments.processor import PaymentFailure
from tenants.payments.queries import ATTEMPT_COLUMNS, missing_payment, read_attempt
from tenants.payments.states import (
    ACTIVE,
    TIMINGS,
    AttemptState,
    Timings,
    find_next_check,
    find_time_limit,
)
from tenants.payments.stream import append_changed
from tenants.payments.values import Attempt

# ruff: noqa: S608  -- only constants are put into these statements
_INSERT: Final = """
INSERT INTO payment_attempt (workspace_id, attempt_id, invoice_id, account_id, nonce, currency, amount_minor, state,
                             payer_kind, payer_id, payer_name, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, clock_timestamp() + $12::interval)
"""
_FIND_BY_INTENT: Final = f"""
SELECT {ATTEMPT_COLUMNS} FROM payment_attempt WHERE workspace_id = $1 AND account_id = $2 AND intent_id = $3
"""
_FIND_BY_NONCE: Final = f"""
SELECT {ATTEMPT_COLUMNS} FROM payment_attempt WHERE workspace_id = $1 AND invoice_id = $2 AND nonce = $3
"""
_LOCK: Final = f"""
SELECT {ATTEMPT_COLUMNS} FROM payment_attempt WHERE workspace_id = $1 AND attempt_id = $2 FOR UPDATE
"""
_MOVE: Final = """
UPDATE payment_attempt
SET state = $3, intent_id = coalesce(intent_id, $4), method_type = $5, is_redirect = $6, failure_code = $7,
    decline_code = $8, is_late = $9, is_unreachable = $10, changed_at = $11,
    expires_at = CASE WHEN $12 THEN clock_timestamp() + $13::interval ELSE expires_at END
WHERE workspace_id = $1 AND attempt_id = $2
"""
_COUNT_CHECK: Final = """
UPDATE payment_attempt SET checks = checks + 1
WHERE workspace_id = $1 AND attempt_id = $2 AND state = ANY ($3::text[])
RETURNING checks, clock_timestamp() - created_at AS age, expires_at - clock_timestamp() AS expires_in, is_unreachable
"""
# Jobs end dead after too many failures, and an operator may delete some.
_SELECT_UNCHECKED: Final = """
SELECT a.attempt_id FROM payment_attempt a
WHERE a.workspace_id = $1 AND a.state = ANY ($2::text[]) AND NOT EXISTS (
    SELECT FROM job j
    WHERE j.workspace_id = a.workspace_id AND j.kind = $3 AND j.dedupe_key = a.attempt_id || ':' || a.checks
      AND j.state IN ('queued', 'running'))
ORDER BY a.attempt_id
"""
_SELECT_OF_ACCOUNT: Final = """
SELECT attempt_id FROM payment_attempt
WHERE workspace_id = $1 AND account_id = $2 AND state = ANY ($3::text[]) ORDER BY attempt_id
"""
_SELECT_UNSENT: Final = """
SELECT r.refund_id FROM payment_refund r
JOIN payment_attempt a ON a.workspace_id = r.workspace_id AND a.attempt_id = r.attempt_id
WHERE r.workspace_id = $1 AND a.account_id = $2 AND r.state = 'requested' ORDER BY r.created_at, r.refund_id
"""
_ACTIVE: Final = [state.value for state in ACTIVE]


async def insert_attempt(
    invoice_id: InvoiceId, amount: Money, *, account_id: str, nonce: str, payer: Actor, timings: Timings
) -> Attempt:
    """Reserve an amount of an invoice that the caller has locked, and enqueue the first check."""
    attempt_id = AttemptId(new_id())
    await execute(
        _INSERT,
        current_workspace(),
        attempt_id,
        invoice_id,
        account_id,
        nonce,
        amount.currency.code,
        amount.minor,
        AttemptState.RESERVED.value,
        payer.kind.value,
        payer.id,
        payer.name,
        timings.reserved,
    )
    await append_changed(invoice_id, AttemptState.RESERVED)
    await enqueue_check(attempt_id, timings=timings)
    return await lock_attempt(attempt_id)


async def find_attempt_by_intent(account_id: str, intent_id: str) -> Attempt | None:
    """Return the attempt of a payment at the provider, unlocked."""
    row = await fetch_one(_FIND_BY_INTENT, current_workspace(), account_id, intent_id)
    return None if row is None else read_attempt(row)


async def find_attempt_by_nonce(invoice_id: InvoiceId, nonce: str) -> Attempt | None:
    """Return the attempt that a click made."""
    row = await fetch_one(_FIND_BY_NONCE, current_workspace(), invoice_id, nonce)
    return None if row is None else read_attempt(row)


async def lock_attempt(attempt_id: AttemptId) -> Attempt:
    """Lock an attempt, whose invoice the caller has locked; Missing("payment.not_found")."""
    row = await fetch_one(_LOCK, current_workspace(), attempt_id)
    if row is None:
        raise missing_payment()
    return read_attempt(row)


async def move_attempt(
    attempt: Attempt,
    state: AttemptState,
    *,
    clock: Clock,
    timings: Timings,
    intent_id: str | None = None,
    method_type: str | None = None,
    is_redirect: bool | None = None,
    failure: PaymentFailure | None = None,
    is_late: bool = False,
    is_unreachable: bool = False,
) -> bool:
    """Write a new state and what came with it; returns whether the state changed. Both rows are locked.

    None leaves a value as it is. The time in the new state counts from now.
    """
    shown = failure or attempt.failure
    redirect = attempt.is_redirect if is_redirect is None else is_redirect
    is_new = state is not attempt.state
    restarts = is_new or redirect is not attempt.is_redirect
    limit = find_time_limit(state, is_redirect=redirect, timings=timings)
    if is_new and state is AttemptState.OPEN and shown is not None:
        limit = dt.timedelta(0)
    await execute(
        _MOVE,
        current_workspace(),
        attempt.attempt_id,
        state.value,
        intent_id,
        attempt.method_type if method_type is None else method_type[:50],
        redirect,
        "" if shown is None else shown.code[:100],
        "" if shown is None else shown.decline_code[:100],
        attempt.is_late or is_late,
        is_unreachable,
        clock.now(),
        restarts,
        limit,
    )
    if is_new:
        await append_changed(attempt.invoice_id, state)
    return is_new


async def enqueue_check(attempt_id: AttemptId, *, timings: Timings = TIMINGS, is_now: bool = False) -> bool:
    """Enqueue the next check of an attempt, which replaces the one before; False if it has ended."""
    row = await fetch_one(_COUNT_CHECK, current_workspace(), attempt_id, _ACTIVE)
    if row is None:
        return False
    delay = dt.timedelta(0)
    if not is_now:
        delay = find_next_check(row["age"], row["expires_in"], timings, is_unreachable=row["is_unreachable"])
    await enqueue(CheckPayment(attempt_id=attempt_id, number=row["checks"]), delay=delay)
    return True


async def restart_checks() -> int:
    """Enqueue a check of each attempt under way that has none, now; returns how many."""
    rows = await fetch(_SELECT_UNCHECKED, current_workspace(), _ACTIVE, CheckPayment.kind)
    for row in rows:
        await enqueue_check(AttemptId(row["attempt_id"]), is_now=True)
    return len(rows)


async def resume_payments(account_id: str) -> int:
    """Enqueue what waits for access to an account, now: checks of attempts under way, and refunds; returns how many."""
    attempts = await fetch(_SELECT_OF_ACCOUNT, current_workspace(), account_id, _ACTIVE)
    for row in attempts:
        await enqueue_check(AttemptId(row["attempt_id"]), is_now=True)
    refunds = await fetch(_SELECT_UNSENT, current_workspace(), account_id)
    for row in refunds:
        await enqueue(RefundPayment(refund_id=row["refund_id"]))
    return len(attempts) + len(refunds)
