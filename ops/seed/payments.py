"""Pays some invoices of the demo at Stripe's stand-in: one by a slow bank, one that is disputed afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kernel.actor import Actor
from kernel.clock import Clock, SystemClock
from kernel.ids import WorkspaceId, new_nonce
from kernel.settings import Settings
from kernel.store import Database
from ops.seed.workspaces import SEED_WORKSPACES
from ops.seed.write import MAX_INVOICES, SeedResult
from tenants.connect.client import StripeApi
from tenants.connect.processor import StripeProcessor
from tenants.ids import InvoiceId
from tenants.invoices.queries import list_invoices, load_invoice
from tenants.payments import queries
from tenants.payments.actions import begin, settle
from tenants.payments.processor import PaymentProcessor
from tenants.payments.values import PaymentRequest
from tenants.workspaces.queries import find_workspace_by_host

#: What is typed for an example of each tag.
_METHODS: Final = {"processing": "sepa_debit", "disputed": "4242424242424242"}

#: A verb of the sandbox's control interface, and its fields; returns its answer.
play_sandbox = Callable[..., Mapping[str, Any]]


async def pay_examples(
    database: Database,
    settings: Settings,
    seeded: SeedResult,
    *,
    play: play_sandbox,
    payer: Actor,
) -> None:
    """Pay what the tags of the seeded invoices say, unless an earlier run did."""
    if settings.stripe is None:
        return
    api = StripeApi(settings.stripe)
    try:
        processor = StripeProcessor(api)
        await _pay_all(database, settings, seeded, processor, play=play, payer=payer)
    finally:
        await api.close()


async def _pay_all(
    database: Database,
    settings: Settings,
    seeded: SeedResult,
    processor: PaymentProcessor,
    *,
    play: play_sandbox,
    payer: Actor,
) -> None:
    for workspace in SEED_WORKSPACES:
        wanted = {
            row["number"]: tag
            for row in seeded.invoices
            for tag in _METHODS.keys() & set(row["tags"])
            if row["workspace"] == workspace.new.slug
        }
        host = f"{workspace.new.slug}.{settings.base_domain}"
        found = await find_workspace_by_host(database, host) if wanted else None
        if found is None or workspace.account is None:
            continue
        workspace_id = found.workspace.workspace_id
        async with database.scope(workspace_id):
            ids = {row.number: row.invoice_id for row in await list_invoices(limit=MAX_INVOICES)}
        examples = ExamplePayer(
            database, processor, workspace_id, workspace.account.account_id, play, payer, SystemClock()
        )
        for number, tag in wanted.items():
            await examples.pay(ids[number], tag)


@dataclass(frozen=True, slots=True)
class ExamplePayer:
    """Pays invoices of one workspace."""

    database: Database
    processor: PaymentProcessor
    workspace_id: WorkspaceId
    account_id: str
    play: play_sandbox
    payer: Actor
    clock: Clock

    async def pay(self, invoice_id: InvoiceId, tag: str) -> None:
        """Pay an invoice as its tag says; nothing happens if somebody has tried to pay it."""
        async with self.database.scope(self.workspace_id):
            if await queries.list_attempts(invoice_id):
                return
            invoice = await load_invoice(invoice_id)
        token = self.play("create_confirmation_token", account=self.account_id, card=_METHODS[tag])
        request = PaymentRequest(
            amount=invoice.total,
            version=invoice.version,
            nonce=new_nonce(),
            confirmation_token=token["id"],
            return_url="http://localhost/",
        )
        progress = await begin(
            self.database,
            self.processor,
            self.workspace_id,
            invoice_id,
            request,
            payer=self.payer,
            clock=self.clock,
        )
        if tag == "disputed":
            await self._dispute(progress.intent_id)

    async def _dispute(self, intent_id: str) -> None:
        charge = (await self.processor.load_payment(self.account_id, intent_id)).charge
        if charge is None:
            message = f"The payment {intent_id} of the demo has no charge."
            raise RuntimeError(message)
        self.play("open_dispute", charge=charge.source_id)
        # The gateway does not run yet: nobody receives the event.
        payment = await self.processor.load_payment(self.account_id, intent_id)
        async with self.database.scope(self.workspace_id):
            await settle(payment, account_id=self.account_id, clock=self.clock)
