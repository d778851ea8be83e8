"""Connections of workspaces to accounts at Stripe, made by the product's own actions."""

from __future__ import annotations

import datetime as dt
from typing import Final

from kernel.ids import new_id, new_token
from kernel.store import execute
from tenants.connect import actions, queries
from tenants.connect.breaker import Breaker
from tenants.connect.client import Retries, StripeApi
from tenants.connect.values import AccountSnapshot, CardCapability, Connection
from tenants.workspaces.actions import set_payment_settings
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.fakes.scripted_stripe import build_settings

#: How often a request is made before its outcome is unknown.
ATTEMPTS: Final = 2
READ_AT = dt.datetime(2026, 3, 16, 9, 30, tzinfo=dt.UTC)


def build_snapshot(
    account_id: str,
    capability: CardCapability = CardCapability.ACTIVE,
    *requirements: str,
    is_closed: bool = False,
) -> AccountSnapshot:
    """Return an account in test mode as Stripe shows it."""
    return AccountSnapshot(account_id, False, capability, requirements, is_closed)


async def begin(workspace: SampleWorkspace, token: str | None = None) -> Connection:
    """Begin to set an account up for tests, and note the one that Stripe has created."""
    async with workspace.database.scope(workspace.workspace_id):
        await execute("UPDATE workspace SET livemode = false WHERE workspace_id = $1", workspace.workspace_id)
        connection = await actions.begin_onboarding(
            is_live=False, token=token or new_token(), sealer=workspace.sealer
        )
        if not connection.account_id:
            await actions.set_account(connection.connection_id, f"acct_{new_id().hex[:16]}")
        return await queries.load_connection()


async def connect(workspace: SampleWorkspace, *, read_at: dt.datetime = READ_AT) -> Connection:
    """Connect an account that takes cards."""
    account_id = (await begin(workspace)).account_id
    async with workspace.database.scope(workspace.workspace_id):
        return await actions.record_account(build_snapshot(account_id), read_at=read_at)


def build_api(api_url: str, *, breaker: Breaker | None = None) -> StripeApi:
    """Return a client for a server on loopback that makes each request twice, without a pause to speak of."""
    return StripeApi(
        build_settings(api_url),
        retries=Retries(attempts=ATTEMPTS, first_pause=dt.timedelta(milliseconds=1)),
        breaker=breaker,
    )


async def connect_account(
    workspace: SampleWorkspace, account_id: str, snapshot: AccountSnapshot | None = None
) -> None:
    """Let a workspace be paid in test mode, also in parts, by an account that takes cards or is as read."""
    async with workspace.database.scope(workspace.workspace_id):
        await set_payment_settings(is_live=False, takes_parts=True)
        connection = await actions.begin_onboarding(is_live=False, token=new_token(), sealer=workspace.sealer)
        await actions.set_account(connection.connection_id, account_id)
        await actions.record_account(snapshot or build_snapshot(account_id), read_at=dt.datetime.now(dt.UTC))
