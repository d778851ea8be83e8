"""Reads of connected accounts."""

from __future__ import annotations

from typing import Any, Final

from kernel.errors import Missing
from kernel.ids import WorkspaceId, is_well_formed_token
from kernel.seals import Sealer
from kernel.store import Database, current_workspace, fetch, fetch_one
from tenants.connect.values import (
    ONBOARDING_PURPOSE,
    CardCapability,
    Connection,
    ConnectionState,
    PaymentDomain,
    PaymentDomainState,
)
from tenants.ids import ConnectionId
from tenants.payments.processor import PaymentAccount

_COLUMNS: Final = """connection_id, account_id, is_live, state, card_capability, requirements, application_fee_bp,
       created_at, checked_at, events_watermark"""
_FIND: Final = f"SELECT {_COLUMNS} FROM stripe_connection WHERE workspace_id = $1 AND state <> 'disconnected'"  # noqa: S608
_LIST: Final = f"""
SELECT {_COLUMNS} FROM stripe_connection WHERE workspace_id = $1 AND account_id IS NOT NULL ORDER BY created_at DESC
"""  # noqa: S608
_LIST_DOMAINS: Final = """
SELECT d.host, d.provider_id, d.state, d.problems
FROM stripe_payment_domain d
JOIN stripe_connection c ON c.workspace_id = $1 AND c.connection_id = d.connection_id AND c.state <> 'disconnected'
WHERE d.workspace_id = $1 ORDER BY d.host
"""
_FIND_ONBOARDING: Final = "SELECT portal_find_stripe_onboarding($1) AS workspace_id"


async def find_connection() -> Connection | None:
    """Return the bound workspace's account at Stripe; None without one, or after it was disconnected."""
    row = await fetch_one(_FIND, current_workspace())
    return None if row is None else read_connection(row)


async def load_connection() -> Connection:
    """Return the bound workspace's account at Stripe; Missing("connect.not_connected")."""
    found = await find_connection()
    if found is None:
        raise missing_connection()
    return found


async def list_connections() -> tuple[Connection, ...]:
    """Return every account that the bound workspace has had, the newest first: refunds of old payments still happen."""
    return tuple(read_connection(row) for row in await fetch(_LIST, current_workspace()))


async def find_account() -> PaymentAccount | None:
    """Return the account that the bound workspace is paid to; None before Stripe has shown it to us once."""
    found = await find_connection()
    if found is None or not found.account_id or found.checked_at is None:
        return None
    return PaymentAccount(
        account_id=found.account_id,
        is_live=found.is_live,
        is_active=found.state is ConnectionState.ACTIVE,
        takes_cards=found.card_capability is CardCapability.ACTIVE,
        checked_at=found.checked_at,
        application_fee_bp=found.application_fee_bp,
    )


async def list_payment_domains() -> tuple[PaymentDomain, ...]:
    """Return the hosts that the bound workspace's account knows."""
    return tuple(
        PaymentDomain(
            row["host"], row["provider_id"], PaymentDomainState(row["state"]), tuple(row["problems"])
        )
        for row in await fetch(_LIST_DOMAINS, current_workspace())
    )


async def find_onboarding_workspace(database: Database, token: str, *, sealer: Sealer) -> WorkspaceId | None:
    """Return the workspace of an unused link back from Stripe, outside any unit of work; None whatever is wrong.

    Raises Unavailable as `Database.fetch_autocommit` does.
    """
    if not is_well_formed_token(token):
        return None
    hashes = list(sealer.compute_hashes(ONBOARDING_PURPOSE, token.encode()))
    row = await database.fetch_autocommit(_FIND_ONBOARDING, hashes)
    found = None if row is None else row["workspace_id"]
    return None if found is None else WorkspaceId(found)


def read_connection(row: Any) -> Connection:
    """Return the value of a row of stripe_connection."""
    return Connection(
        connection_id=ConnectionId(row["connection_id"]),
        account_id=row["account_id"] or "",
        is_live=row["is_live"],
        state=ConnectionState(row["state"]),
        card_capability=CardCapability(row["card_capability"]),
        requirements=tuple(row["requirements"]),
        application_fee_bp=row["application_fee_bp"],
        created_at=row["created_at"],
        checked_at=row["checked_at"],
        events_watermark=row["events_watermark"],
    )


def missing_connection() -> Missing:
    """Return the error for a workspace without an account at Stripe."""
    return Missing("connect.not_connected", "The workspace has no account at Stripe.")
