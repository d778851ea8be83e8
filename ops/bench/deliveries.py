"""Measures the processor time of a delivery of Stripe, verified and stored, against the SDK's bare verification."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
from dataclasses import dataclass
from time import process_time
from typing import TYPE_CHECKING, Final

import stripe

from kernel.ids import new_id
from kernel.store import execute
from tenants.connect.inbox.actions import receive
from tenants.connect.inbox.values import EventScope, ReceiptResult
from tenants.connect.webhooks import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.bench.payment_stage import PaymentStage

#: Stripe delivers many at once; the gateway receives them on one event loop.
CONCURRENCY: Final = 8
_TURN: Final = 100
_SECRET: Final = "whsec_bench"  # noqa: S105  -- signs nothing but deliveries of the benchmark
_UNSET: Final = (
    "application", "application_fee_amount", "canceled_at", "cancellation_reason", "customer", "last_payment_error",
    "next_action", "on_behalf_of", "processing", "receipt_email", "review", "setup_future_usage", "shipping", "source",
    "statement_descriptor", "transfer_data",
)  # fmt: skip
_ADD_ATTEMPT: Final = """
INSERT INTO payment_attempt (workspace_id, attempt_id, invoice_id, account_id, intent_id, nonce, currency, amount_minor,
                             state, payer_kind, payer_id)
VALUES ($1, $2, $3, $4, $5, $5, 'USD', 100, 'open', 'operator', 'bench')
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The body of an event, and the header with its signature."""

    body: bytes
    signature: str


@dataclass(frozen=True, slots=True)
class DeliveryCost:
    """Microseconds of processor time for one delivery: the SDK's check, its whole event, and verified and stored."""

    bare: float
    sdk: float
    stored: float


async def prepare_deliveries(stage: PaymentStage, count: int) -> list[Delivery]:
    """Sign events of one open payment, as large as Stripe's are."""
    intent_id, invoice_id = f"pi_{secrets.token_hex(12)}", await stage.issue_invoice()
    async with stage.database.scope(stage.workspace_id):
        await execute(_ADD_ATTEMPT, stage.workspace_id, new_id(), invoice_id, stage.account_id, intent_id)
    return [_sign(_build_event(stage.account_id, intent_id)) for _ in range(count)]


async def measure_deliveries(stage: PaymentStage, deliveries: list[Delivery]) -> DeliveryCost:
    """Verify with the SDK, then verify and store, in short turns: both meet the same load of the machine."""
    bare = sdk = stored = 0.0
    for begin in range(0, len(deliveries), _TURN):
        turn = deliveries[begin : begin + _TURN]
        started = process_time()
        for each in turn:
            stripe.WebhookSignature.verify_header(each.body, each.signature, _SECRET, 300)
        checked = process_time()
        for each in turn:
            stripe.Webhook.construct_event(each.body, each.signature, _SECRET)
        made = process_time()
        remaining = iter(turn)
        await asyncio.gather(*(_receive(stage, remaining) for _ in range(CONCURRENCY)))
        bare, sdk, stored = bare + checked - started, sdk + made - checked, stored + process_time() - made
    return DeliveryCost(*(seconds / len(deliveries) * 1e6 for seconds in (bare, sdk, stored)))


async def _receive(stage: PaymentStage, deliveries: Iterator[Delivery]) -> None:
    for each in deliveries:
        event = verify(
            each.body,
            each.signature,
            scope=EventScope.CONNECT,
            secrets=(_SECRET,),
            now=dt.datetime.now(dt.UTC),
        )
        if await receive(stage.database, event, is_live=False) is not ReceiptResult.STORED:
            raise ValueError("the delivery was not stored")


def _sign(event: dict[str, object]) -> Delivery:
    body = json.dumps(event, indent=2)
    return Delivery(body.encode(), str(stripe.WebhookSignature.generate_signature_header(body, _SECRET)))


def _build_event(account_id: str, intent_id: str) -> dict[str, object]:
    intent: dict[str, object] = {
        "id": intent_id,
        "object": "payment_intent",
        "amount": 12900,
        "amount_received": 12900,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{secrets.token_hex(12)}",
        "currency": "usd",
        "latest_charge": f"ch_{secrets.token_hex(12)}",
        "metadata": {"attempt_id": str(new_id()), "invoice_id": str(new_id()), "workspace_id": str(new_id())},
        "payment_method": f"pm_{secrets.token_hex(12)}",
        "payment_method_configuration_details": {"id": f"pmc_{secrets.token_hex(12)}", "parent": None},
        "payment_method_options": {"card": {"installments": None, "request_three_d_secure": "automatic"}},
        "payment_method_types": ["card", "klarna", "link", "cashapp", "amazon_pay"],
        "status": "succeeded",
    }
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "account": account_id,
        "api_version": stripe.api_version,
        "created": int(dt.datetime.now(dt.UTC).timestamp()),
        "data": {"object": intent | dict.fromkeys(_UNSET)},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": f"req_{secrets.token_hex(7)}", "idempotency_key": str(new_id())},
        "type": "payment_intent.succeeded",
    }
