"""Set up an account at Stripe: begin, note the account that Stripe has created, come back from Stripe's pages."""

from __future__ import annotations

from typing import Final

import asyncpg

from kernel.errors import Conflict, Missing
from kernel.ids import new_id
from kernel.jobs import enqueue
from kernel.seals import Sealer
from kernel.store import current_workspace, execute, fetch_one, fetch_value, savepoint
from tenants.activity.actions import emit
from tenants.connect.events import AccountCreated, OnboardingStarted
from tenants.connect.jobs import RefreshAccount
from tenants.connect.queries import find_connection, load_connection, missing_connection
from tenants.connect.values import (
    ONBOARDING_LIFE,
    ONBOARDING_PURPOSE,
    Business,
    CardCapability,
    Connection,
    ConnectionState,
)
from tenants.ids import ConnectionId

# Two that begin at once wait for each other here.
_LOCK_WORKSPACE: Final = "SELECT livemode FROM workspace WHERE workspace_id = $1 FOR NO KEY UPDATE"
_INSERT: Final = """
INSERT INTO stripe_connection (workspace_id, connection_id, is_live, state) VALUES ($1, $2, $3, 'onboarding')
"""
_INSERT_LINK: Final = """
INSERT INTO stripe_onboarding (workspace_id, connection_id, token_hash, expires_at) VALUES ($1, $2, $3, now() + $4)
"""
_SET_ACCOUNT: Final = """
UPDATE stripe_connection SET account_id = $3, business = NULL
WHERE workspace_id = $1 AND connection_id = $2 AND account_id IS NULL AND state = 'onboarding'
RETURNING true
"""
_KEEP_BUSINESS: Final = """
UPDATE stripe_connection SET business = coalesce(business, $3) WHERE workspace_id = $1 AND connection_id = $2
RETURNING business
"""
_FORGET_BUSINESS: Final = (
    "UPDATE stripe_connection SET business = NULL WHERE workspace_id = $1 AND connection_id = $2"
)
_USE_LINK: Final = """
UPDATE stripe_onboarding SET used_at = now()
WHERE workspace_id = $1 AND token_hash = ANY ($2) AND used_at IS NULL AND expires_at > now()
RETURNING connection_id
"""


async def begin_onboarding(*, is_live: bool, token: str, sealer: Sealer) -> Connection:
    """Open a connection, unless there is one, and store the token of the link back; it works for a day, and once.

    Conflict(`connect.already_connected` if the account takes cards already, `connect.other_mode` if it is of the other
    mode, test or live, `connect.workspace_mode` if the workspace is), Missing("connect.not_connected") for a workspace
    that does not exist.
    """
    workspace_id = current_workspace()
    livemode = await fetch_value(_LOCK_WORKSPACE, workspace_id)
    if livemode is None:
        raise missing_connection()
    found = await find_connection()
    if found is not None and found.is_live is not is_live:
        message = "The account at Stripe is of the other mode, test or live: disconnect it first."
        raise Conflict("connect.other_mode", message)
    if livemode is not is_live:
        raise Conflict("connect.workspace_mode", _describe_modes(key_is_live=is_live))
    if found is None:
        await execute(_INSERT, workspace_id, new_id(), is_live)
        found = await load_connection()
    if found.state is ConnectionState.ACTIVE and found.card_capability is CardCapability.ACTIVE:
        raise Conflict("connect.already_connected", "The account at Stripe takes card payments already.")
    token_hash = sealer.compute_hash(ONBOARDING_PURPOSE, token.encode())
    await execute(_INSERT_LINK, workspace_id, found.connection_id, token_hash, ONBOARDING_LIFE)
    await emit(OnboardingStarted(connection_id=found.connection_id, is_live=is_live))
    return found


async def keep_business(connection_id: ConnectionId, business: Business) -> Business:
    """Return what Stripe is to be told of the business: what it may know by now, and else this, which is kept.

    Missing("connect.not_connected").
    """
    kept = await fetch_value(
        _KEEP_BUSINESS,
        current_workspace(),
        connection_id,
        [business.name, business.country, business.email],
    )
    if kept is None:
        raise missing_connection()
    return Business(*kept)


async def forget_business(connection_id: ConnectionId) -> None:
    """Forget what Stripe was told of the business, since it has refused that: the next request may say another."""
    await execute(_FORGET_BUSINESS, current_workspace(), connection_id)


async def set_account(connection_id: ConnectionId, account_id: str) -> None:
    """Note the account that Stripe has created for a connection.

    Nothing happens if it is noted already. Conflict(`connect.account_taken` if another workspace has it,
    `connect.changed` if the connection has another account or was ended meanwhile).
    """
    try:
        async with savepoint():
            is_set = await fetch_value(_SET_ACCOUNT, current_workspace(), connection_id, account_id)
    except asyncpg.UniqueViolationError as error:
        raise Conflict("connect.account_taken", "Another workspace has this account at Stripe.") from error
    if not is_set:
        found = await find_connection()
        if found is None or (found.connection_id, found.account_id) != (connection_id, account_id):
            raise Conflict("connect.changed", "The connection to Stripe was changed meanwhile.")
        return
    await emit(AccountCreated(connection_id=connection_id, account_id=account_id))


async def use_onboarding(token: str, *, sealer: Sealer) -> ConnectionId:
    """Use up a link back from Stripe, and enqueue the reading of its account.

    Missing("connect.link_not_found") whatever is wrong: unknown, used, expired, another workspace's.
    """
    hashes = list(sealer.compute_hashes(ONBOARDING_PURPOSE, token.encode()))
    row = await fetch_one(_USE_LINK, current_workspace(), hashes)
    if row is None:
        raise Missing("connect.link_not_found", "This link from Stripe does not work, or was used before.")
    await enqueue(RefreshAccount())
    return ConnectionId(row["connection_id"])


def _describe_modes(*, key_is_live: bool) -> str:
    if key_is_live:
        return "Stripe's key moves real money, and the workspace is in test mode: put it in live mode first."
    return "Stripe's key is for tests, and the workspace is in live mode: put it in test mode first."
