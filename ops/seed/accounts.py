"""Connects the workspaces of the demo to their accounts at Stripe's stand-in."""

from __future__ import annotations

from kernel.clock import Clock
from kernel.ids import new_token
from kernel.seals import Sealer
from ops.seed.workspaces import SeededAccount
from tenants.connect import queries
from tenants.connect.actions import begin_onboarding, record_account, set_account
from tenants.connect.values import AccountSnapshot, CardCapability


async def connect_account(account: SeededAccount, *, sealer: Sealer, clock: Clock) -> None:
    """Connect the bound workspace as if its business had come back from Stripe's pages, in the open unit of work."""
    if await queries.find_connection() is not None:
        return
    connection = await begin_onboarding(is_live=False, token=new_token(), sealer=sealer)
    await set_account(connection.connection_id, account.account_id)
    capability = CardCapability.ACTIVE if account.takes_cards else CardCapability.PENDING
    snapshot = AccountSnapshot(
        account_id=account.account_id, is_live=False, card_capability=capability, requirements=()
    )
    await record_account(snapshot, read_at=clock.now())
