"""What the isolation tests call of connections; the two workspaces are those of `tests.tenants.isolation_calls`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from kernel.clock import SystemClock
from kernel.ids import new_id, new_token
from tenants.connect import actions as connect_actions
from tenants.connect import queries as connect_queries
from tenants.connect.values import Business, CardCapability, PaymentDomain, PaymentDomainState
from tenants.ids import ConnectionId
from tests.fakes.sample_workspaces import SampleWorkspace
from tests.fakes.stripe_accounts import READ_AT, build_snapshot

CLOCK = SystemClock()
PAYMENT_DOMAIN = PaymentDomain("pay.acme.example", "pmd_1", PaymentDomainState.ACTIVE)


@dataclass(frozen=True, slots=True)
class ForeignConnection:
    """A connection of the other workspace, or of none."""

    connection_id: ConnectionId
    account_id: str
    token: str


def make_nobodys_connection() -> ForeignConnection:
    """Return ids that do not exist."""
    return ForeignConnection(ConnectionId(new_id()), "acct_nobodys", new_token())


async def connect_account(owner: SampleWorkspace) -> ForeignConnection:
    """Connect an account, in an open unit of work."""
    token, account_id = new_token(), f"acct_{new_id().hex}"
    connection = await connect_actions.begin_onboarding(is_live=False, token=token, sealer=owner.sealer)
    await connect_actions.set_account(connection.connection_id, account_id)
    await connect_actions.record_account(build_snapshot(account_id), read_at=READ_AT)
    await connect_actions.record_payment_domain(connection.connection_id, PAYMENT_DOMAIN)
    return ForeignConnection(connection.connection_id, account_id, token)


async def check_equal(expected: object, call: Awaitable[object]) -> None:
    assert await call == expected


Call = Callable[[Any, SampleWorkspace], Awaitable[Any]]

CALLS_WITH_FOREIGN_IDS: dict[str, Call] = {
    "connect_actions.record_account": lambda x, _: connect_actions.record_account(
        build_snapshot(x.connection.account_id, CardCapability.RESTRICTED), read_at=CLOCK.now()
    ),
    "connect_actions.revoke_account": lambda x, _: connect_actions.revoke_account(x.connection.account_id),
    "connect_actions.use_onboarding": lambda x, me: connect_actions.use_onboarding(
        x.connection.token, sealer=me.sealer
    ),
    "connect_actions.keep_business": lambda x, _: connect_actions.keep_business(
        x.connection.connection_id, Business("Rival", "DE", "owner@rival.example")
    ),
    "connect_actions.disconnect": lambda _, __: connect_actions.disconnect(),
    "connect_actions.set_application_fee": lambda _, __: connect_actions.set_application_fee(100),
    "connect_queries.load_connection": lambda _, __: connect_queries.load_connection(),
}
CALLS_WITHOUT_IDS: dict[str, Call] = {
    "connect_actions.begin_onboarding": lambda _, me: connect_actions.begin_onboarding(
        is_live=False, token=new_token(), sealer=me.sealer
    ),
    "connect_actions.forget_business": lambda x, _: connect_actions.forget_business(
        x.connection.connection_id
    ),
    "connect_actions.advance_watermark": lambda x, _: connect_actions.advance_watermark(
        x.connection.connection_id, CLOCK.now()
    ),
    "connect_queries.find_connection": lambda _, __: check_equal(None, connect_queries.find_connection()),
    "connect_queries.list_connections": lambda _, __: check_equal((), connect_queries.list_connections()),
    "connect_queries.find_account": lambda _, __: check_equal(None, connect_queries.find_account()),
    "connect_queries.list_payment_domains": lambda _, __: check_equal(
        (), connect_queries.list_payment_domains()
    ),
}
# In test_connections.py.
TESTED_SEPARATELY = {
    "connect_actions.record_payment_domain",
    "connect_actions.set_account",
    "connect_queries.find_onboarding_workspace",
}
