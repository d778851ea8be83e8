"""A workspace with an account at Stripe and invoices, made by the product's actions, for benchmarks of payments."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from kernel.clock import SystemClock
from kernel.ids import WorkspaceId, new_id
from kernel.seals import Sealer
from kernel.setting_parsers import DEMO_SECRET
from kernel.store import Database, execute
from ops.seed.businesses import ACME, ACME_BANK, OAKRIDGE
from ops.seed.lines import SALES, build_lines
from tenants.connect.actions import begin_onboarding, record_account, set_account
from tenants.connect.values import AccountSnapshot, CardCapability
from tenants.customers.actions import create_customer
from tenants.customers.values import CustomerDetails
from tenants.ids import CustomerId, InvoiceId
from tenants.invoices.actions import create_draft, issue
from tenants.invoices.content import Content
from tenants.workspaces.actions import create_workspace
from tenants.workspaces.profile import NewWorkspace

_CLOCK: Final = SystemClock()
# Until a command does it: a workspace begins in live mode.
_USE_TEST_MODE: Final = (
    "UPDATE workspace SET livemode = false, takes_part_payments = true WHERE workspace_id = $1"
)


@dataclass(frozen=True, slots=True)
class PaymentStage:
    """A workspace in test mode that is paid to an account."""

    database: Database
    workspace_id: WorkspaceId
    customer_id: CustomerId
    account_id: str

    async def issue_invoice(self, lines: int = 3) -> InvoiceId:
        """Write and issue one more invoice in US dollars."""
        content = Content(
            currency="USD",
            seller=ACME,
            buyer=OAKRIDGE,
            lines=tuple(build_lines(lines, "USD", SALES)),
            transfers=(ACME_BANK,),
        )
        async with self.database.scope(self.workspace_id):
            invoice_id = await create_draft(self.customer_id, content, clock=_CLOCK)
            await issue(invoice_id, clock=_CLOCK)
        return invoice_id


async def create_stage(database: Database, account_id: str) -> PaymentStage:
    """Create a workspace that is connected to an account, which may take cards."""
    sealer, workspace_id = Sealer((("demo", DEMO_SECRET),)), WorkspaceId(new_id())
    async with database.scope(workspace_id):
        await create_workspace(
            NewWorkspace(f"bench-{secrets.token_hex(4)}", ACME.name),
            base_domain="localhost",
            reserved_hosts=(),
            sealer=sealer,
            clock=_CLOCK,
        )
        await execute(_USE_TEST_MODE, workspace_id)
        customer = await create_customer(CustomerDetails(name=OAKRIDGE.name), clock=_CLOCK)
        connection = await begin_onboarding(is_live=False, token=secrets.token_hex(), sealer=sealer)
        await set_account(connection.connection_id, account_id)
        await record_account(
            AccountSnapshot(account_id, False, CardCapability.ACTIVE, ()), read_at=_CLOCK.now()
        )
    return PaymentStage(database, workspace_id, customer.customer_id, account_id)
