"""Note what Stripe says of an account, and connect or disconnect it by that."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from kernel.errors import Conflict, Invalid
from kernel.jobs import enqueue
from kernel.store import current_workspace, execute, fetch_one
from tenants.activity.actions import emit
from tenants.activity.events import find_changes
from tenants.connect.events import AccountChanged, AccountConnected, AccountDisconnected, AccountRevoked
from tenants.connect.inbox.actions import reopen_events
from tenants.connect.queries import load_connection, missing_connection, read_connection
from tenants.connect.values import (
    AccountSnapshot,
    CardCapability,
    Connection,
    ConnectionState,
    PaymentDomain,
)
from tenants.ids import ConnectionId
from tenants.payments.actions import resume_payments
from tenants.workspaces.domains import SERVED
from tenants.workspaces.jobs import RegisterPaymentDomain
from tenants.workspaces.queries import list_domains

_MAX_FEE_BP: Final = 5000
_LOCK: Final = """
SELECT * FROM stripe_connection
WHERE workspace_id = $1 AND account_id = $2 AND state <> 'disconnected' FOR UPDATE
"""
_LOCK_CURRENT: Final = (
    "SELECT * FROM stripe_connection WHERE workspace_id = $1 AND state <> 'disconnected' FOR UPDATE"
)
_RECORD: Final = """
UPDATE stripe_connection
SET state = $3, card_capability = $4, requirements = $5, checked_at = $6,
    connected_at = CASE WHEN $3 = 'active' THEN coalesce(connected_at, now()) ELSE connected_at END
WHERE workspace_id = $1 AND connection_id = $2 RETURNING *
"""
_REVOKE: Final = (
    "UPDATE stripe_connection SET state = 'revoked' WHERE workspace_id = $1 AND connection_id = $2"
)
_DISCONNECT: Final = """
UPDATE stripe_connection SET state = 'disconnected', ended_at = now() WHERE workspace_id = $1 AND connection_id = $2
"""
_SET_FEE: Final = (
    "UPDATE stripe_connection SET application_fee_bp = $3 WHERE workspace_id = $1 AND connection_id = $2"
)
_ADVANCE: Final = """
UPDATE stripe_connection SET events_watermark = greatest(events_watermark, $3)
WHERE workspace_id = $1 AND connection_id = $2
"""
_RECORD_DOMAIN: Final = """
INSERT INTO stripe_payment_domain (workspace_id, connection_id, host, provider_id, state, problems, checked_at)
VALUES ($1, $2, $3, $4, $5, $6, now())
ON CONFLICT (workspace_id, connection_id, host)
DO UPDATE SET provider_id = excluded.provider_id, state = excluded.state, problems = excluded.problems,
              checked_at = excluded.checked_at
"""


async def record_account(snapshot: AccountSnapshot, *, read_at: dt.datetime) -> Connection:
    """Note an account as Stripe showed it at `read_at`, when the request began; an older picture changes nothing.

    When the connection becomes active, the workspace's hosts are made known to the account. When Stripe lets us in
    again, what has waited for that goes on at once. Missing
    ("connect.not_connected") for an account that is not the workspace's, or no longer; Conflict("connect.other_mode").
    """
    row = await _lock(snapshot.account_id)
    before = read_connection(row)
    if snapshot.is_live is not before.is_live:
        raise Conflict("connect.other_mode", "The account at Stripe is of the other mode, test or live.")
    if before.checked_at is not None and read_at < before.checked_at:
        return before
    state = _choose_state(snapshot, was_connected=row["connected_at"] is not None)
    changed = await fetch_one(
        _RECORD,
        current_workspace(),
        before.connection_id,
        state.value,
        snapshot.card_capability.value,
        list(snapshot.requirements),
        read_at,
    )
    after = read_connection(changed)
    await _emit_change(before, after)
    if before.state is ConnectionState.REVOKED and after.state is not ConnectionState.REVOKED:
        await resume_payments(after.account_id)
        await reopen_events(after.account_id)
    return after


async def revoke_account(account_id: str) -> bool:
    """Note that Stripe refuses us an account; tells whether that is new.

    Its payments stay as they are: what became of those under way is unknown, not failed.
    Missing("connect.not_connected").
    """
    found = read_connection(await _lock(account_id))
    if found.state is ConnectionState.REVOKED:
        return False
    await execute(_REVOKE, current_workspace(), found.connection_id)
    await emit(AccountRevoked(connection_id=found.connection_id, account_id=account_id))
    return True


async def disconnect() -> Connection:
    """Take no more payments to the account; what was paid before is still followed.

    Returns the connection that was ended; Missing("connect.not_connected").
    """
    row = await fetch_one(_LOCK_CURRENT, current_workspace())
    if row is None:
        raise missing_connection()
    found = read_connection(row)
    await execute(_DISCONNECT, current_workspace(), found.connection_id)
    await emit(AccountDisconnected(connection_id=found.connection_id, account_id=found.account_id))
    return found


async def set_application_fee(fee_bp: int) -> None:
    """Set what the platform takes of each payment from now on, in hundredths of a percent.

    Invalid("connect.fee"), Missing("connect.not_connected").
    """
    if not 0 <= fee_bp <= _MAX_FEE_BP:
        raise Invalid("connect.fee", f"A fee is from 0 to {_MAX_FEE_BP} hundredths of a percent.")
    found = await load_connection()
    if found.application_fee_bp == fee_bp:
        return
    await execute(_SET_FEE, current_workspace(), found.connection_id, fee_bp)
    changes = find_changes({"application_fee_bp": found.application_fee_bp}, {"application_fee_bp": fee_bp})
    await emit(AccountChanged(connection_id=found.connection_id, changes=changes))


async def advance_watermark(connection_id: ConnectionId, until: dt.datetime) -> None:
    """Note that the account's events up to a time on Stripe's clock were listed; it never goes back."""
    await execute(_ADVANCE, current_workspace(), connection_id, until)


async def record_payment_domain(connection_id: ConnectionId, domain: PaymentDomain) -> None:
    """Note a host as Stripe shows it to the account."""
    await execute(
        _RECORD_DOMAIN,
        current_workspace(),
        connection_id,
        domain.host,
        domain.provider_id,
        domain.state.value,
        list(domain.problems),
    )


async def _lock(account_id: str) -> Any:
    row = await fetch_one(_LOCK, current_workspace(), account_id)
    if row is None:
        raise missing_connection()
    return row


def _choose_state(snapshot: AccountSnapshot, *, was_connected: bool) -> ConnectionState:
    if snapshot.is_closed:
        return ConnectionState.REVOKED
    is_entered = not snapshot.requirements and snapshot.card_capability is not CardCapability.NONE
    if was_connected or is_entered or snapshot.card_capability is CardCapability.ACTIVE:
        return ConnectionState.ACTIVE
    return ConnectionState.ONBOARDING


async def _emit_change(before: Connection, after: Connection) -> None:
    if after.state is ConnectionState.ACTIVE and before.state is not ConnectionState.ACTIVE:
        for domain in await list_domains():
            if domain.state in SERVED:
                await enqueue(RegisterPaymentDomain(host=domain.host))
        await emit(AccountConnected(connection_id=after.connection_id, account_id=after.account_id))
    elif after.state is ConnectionState.REVOKED and before.state is not ConnectionState.REVOKED:
        await emit(AccountRevoked(connection_id=after.connection_id, account_id=after.account_id))
    elif before.card_capability is not after.card_capability:
        changes = find_changes(
            {"card_capability": before.card_capability.value},
            {"card_capability": after.card_capability.value},
        )
        await emit(AccountChanged(connection_id=after.connection_id, changes=changes))
