"""A connected account at the Stripe sandbox, asked by the real SDK over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import stripe
from stripe import RequestOptions

from ops.sandbox.stripe.server import Sandbox, open_sandbox

RETURN_URL = "https://portal.example.com/pay/return?invoice=7"


@dataclass
class PaymentStage:
    """A sandbox with a client and an account that takes cards."""

    sandbox: Sandbox
    client: stripe.StripeClient
    account: str
    now: list[datetime] = field(default_factory=list)
    """The sandbox's time, when a test moves it."""

    def options(self, key: str = "", account: str = "") -> RequestOptions:
        """Return the options of a request."""
        chosen = RequestOptions(stripe_account=account or self.account)
        if key:
            chosen["idempotency_key"] = key
        return chosen

    def token(self, method: str = "pm_card_visa", **changes: Any) -> str:
        """Make a confirmation token as the browser does."""
        return self.sandbox.control.create_confirmation_token(self.account, method, **changes)

    async def create(self, amount: int = 5000, currency: str = "eur", **changes: Any) -> stripe.PaymentIntent:
        """Create an intent as the product does."""
        parameters: Any = {
            "amount": amount,
            "currency": currency,
            "automatic_payment_methods": {"enabled": True},
            **changes,
        }
        return await self.client.v1.payment_intents.create_async(parameters, self.options())

    async def confirm(
        self, intent_id: str, method: str = "pm_card_visa", *, key: str = "", **changes: Any
    ) -> stripe.PaymentIntent:
        """Confirm an intent with a new token."""
        parameters: Any = {"confirmation_token": self.token(method), "return_url": RETURN_URL, **changes}
        return await self.client.v1.payment_intents.confirm_async(intent_id, parameters, self.options(key))

    async def pay(self, method: str = "pm_card_visa", **changes: Any) -> stripe.PaymentIntent:
        """Create an intent and confirm it."""
        intent = await self.create(**changes)
        return await self.confirm(intent.id, method)

    async def read(self, intent_id: str, *expand: str) -> stripe.PaymentIntent:
        """Read an intent."""
        return await self.client.v1.payment_intents.retrieve_async(
            intent_id, {"expand": list(expand)}, self.options()
        )

    async def refund(self, intent_id: str, **parameters: Any) -> stripe.Refund:
        """Refund an intent."""
        wanted: Any = {"payment_intent": intent_id, **parameters}
        return await self.client.v1.refunds.create_async(wanted, self.options())

    async def read_charge(self, intent_id: str) -> stripe.Charge:
        """Read the latest charge of an intent."""
        charge = (await self.read(intent_id, "latest_charge")).latest_charge
        assert isinstance(charge, stripe.Charge)
        return charge

    async def list_types(self) -> list[str]:
        """Return the types of all events of the account, the oldest first."""
        page = await self.client.v1.events.list_async({"limit": 100}, self.options())
        return [event.type for event in reversed(page.data)]


@asynccontextmanager
async def open_stage(**settings: Any) -> AsyncIterator[PaymentStage]:
    """Open a sandbox with an account; what crosses the wire must keep to the contract."""
    now = [datetime.now(UTC)]
    async with open_sandbox(read_clock=lambda: now[0], **settings) as sandbox:
        # Plain HTTP: reading all certificates would take longer than most tests.
        transport = stripe.HTTPXClient(verify_ssl_certs=False)
        client = stripe.StripeClient(
            "sk_test_sandbox",
            base_addresses={"api": sandbox.base_url},
            http_client=transport,
            max_network_retries=0,
        )
        yield PaymentStage(sandbox, client, sandbox.control.create_account(), now)
        await transport.close_async()  # type: ignore[no-untyped-call]
    assert sandbox.violations == []
