"""Payment intents, charges, refunds and their kin as JSON of the v1 API."""

from __future__ import annotations

from typing import Any, Final

from ops.sandbox.stripe.methods import TestMethod
from ops.sandbox.stripe.store import (
    Charge,
    Intent,
    IntentStatus,
    Method,
    Movement,
    MovementKind,
    Refund,
    Token,
)

_TOKEN_LIFETIME: Final = 12 * 3600
_CATEGORIES: Final = {
    MovementKind.CHARGE: ("charge", "charge"),
    MovementKind.REFUND: ("refund", "refund"),
    MovementKind.REFUND_FAILED: ("refund_failure", "refund_failure"),
    MovementKind.DISPUTE_WITHDRAWN: ("adjustment", "dispute"),
    MovementKind.DISPUTE_REINSTATED: ("adjustment", "dispute_reversal"),
}
_BILLING: Final = {
    "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}


def write_intent(intent: Intent, base_url: str = "", account_id: str = "") -> dict[str, Any]:
    """Write a payment intent; without an address, the page of its next action is left out."""
    received = intent.amount if intent.status is IntentStatus.SUCCEEDED else 0
    redirects = {"allow_redirects": "always" if intent.redirects else "never", "enabled": True}
    return {
        "id": intent.id,
        "object": "payment_intent",
        "amount": intent.amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": received,
        "application": "ca_sandbox" if account_id else None,
        "application_fee_amount": intent.fee or None,
        "automatic_payment_methods": redirects if intent.automatic else None,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": "automatic_async",
        "client_secret": intent.client_secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "customer": None,
        "description": intent.description or None,
        "last_payment_error": intent.error,
        "latest_charge": intent.latest_charge or None,
        "livemode": False,
        "metadata": dict(intent.metadata),
        "next_action": _write_action(intent, base_url, account_id),
        "on_behalf_of": None,
        "payment_method": intent.method.id if intent.method else None,
        "payment_method_options": {},
        "payment_method_types": list(intent.types),
        "processing": None,
        "receipt_email": intent.receipt_email,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": intent.status.value,
        "transfer_data": None,
        "transfer_group": None,
    }


def _write_action(intent: Intent, base_url: str, account_id: str) -> dict[str, Any] | None:
    if intent.status is not IntentStatus.REQUIRES_ACTION or intent.method is None:
        return None
    if intent.method.test.type == "card" and intent.uses_script:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    page = f"{base_url}/redirect/{account_id or 'platform'}/{intent.client_secret}"
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": intent.return_url, "url": page}}


def write_method(method: Method) -> dict[str, Any]:
    """Write a payment method."""
    return {
        "id": method.id,
        "object": "payment_method",
        "billing_details": _BILLING,
        "created": method.created,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": method.test.type,
        method.test.type: _write_details(method.test),
    }


def write_charge(charge: Charge) -> dict[str, Any]:
    """Write a charge."""
    is_paid = charge.status == "succeeded"
    error = charge.error or {}
    outcome = {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network" if error else "approved_by_network",
        "reason": error.get("decline_code"),
        "seller_message": "The bank did not say why." if error else "Payment complete.",
        "type": "issuer_declined" if error else "authorized",
    }
    method = charge.method
    details = _write_details(method.test) | ({"mandate": None} if method.test.type != "ideal" else {})
    return {
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.amount if is_paid else 0,
        "amount_refunded": charge.amount_refunded,
        "application": "ca_sandbox",
        "application_fee": None,
        "application_fee_amount": charge.fee or None,
        "balance_transaction": charge.balance_transaction or None,
        "billing_details": _BILLING,
        "calculated_statement_descriptor": None,
        "captured": is_paid,
        "created": charge.created,
        "currency": charge.currency,
        "customer": None,
        "description": charge.description or None,
        "disputed": charge.is_disputed,
        "failure_balance_transaction": None,
        "failure_code": error.get("code"),
        "failure_message": error.get("message"),
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(charge.metadata),
        "on_behalf_of": None,
        "outcome": outcome,
        "paid": is_paid or charge.status == "pending",
        "payment_intent": charge.intent,
        "payment_method": method.id,
        "payment_method_details": {"type": method.test.type, method.test.type: details},
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": is_paid and charge.amount_refunded == charge.amount,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": charge.status,
        "transfer_data": None,
        "transfer_group": None,
    }


def write_refund(refund: Refund) -> dict[str, Any]:
    """Write a refund."""
    failed = {"failure_reason": refund.failure_reason} if refund.failure_reason else {}
    if refund.failure_balance_transaction:
        failed["failure_balance_transaction"] = refund.failure_balance_transaction
    return {
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": refund.balance_transaction or None,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "destination_details": {"type": "card", "card": {"type": "refund"}},
        "metadata": dict(refund.metadata),
        "payment_intent": refund.intent or None,
        "reason": refund.reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": refund.status,
        "transfer_reversal": None,
        **failed,
    }


def write_movement(movement: Movement) -> dict[str, Any]:
    """Write a balance transaction."""
    kind, category = _CATEGORIES[movement.kind]
    fee = {"application": None, "currency": movement.currency, "description": "Stripe processing fees"}
    details = [{"amount": movement.fee, "type": "stripe_fee", **fee}] if movement.fee else []
    return {
        "id": movement.id,
        "object": "balance_transaction",
        "amount": movement.amount,
        "available_on": movement.created,
        "balance_type": "payments",
        "created": movement.created,
        "currency": movement.currency,
        "description": None,
        "exchange_rate": None,
        "fee": movement.fee,
        "fee_details": details,
        "net": movement.amount - movement.fee,
        "reporting_category": category,
        "source": movement.source,
        "status": "available",
        "type": kind,
    }


def write_token(token: Token) -> dict[str, Any]:
    """Write a confirmation token."""
    kind = token.test.type
    return {
        "id": token.id,
        "object": "confirmation_token",
        "created": token.created,
        "expires_at": token.created + _TOKEN_LIFETIME,
        "livemode": False,
        "mandate_data": None,
        "payment_intent": token.payment_intent or None,
        "payment_method_options": None,
        "payment_method_preview": {
            "billing_details": _BILLING,
            "customer": None,
            "type": kind,
            kind: _write_details(token.test),
        },
        "return_url": token.return_url or None,
        "setup_future_usage": None,
        "setup_intent": None,
        "shipping": None,
        "use_stripe_sdk": True,
    }


def _write_details(test: TestMethod) -> dict[str, Any]:
    match test.type:
        case "card":
            return {
                "brand": test.brand,
                "country": test.country,
                "exp_month": 12,
                "exp_year": 2034,
                "fingerprint": None,
                "funding": "credit",
                "last4": test.last4,
            }
        case "sepa_debit":
            return {"country": test.country, "fingerprint": None, "last4": test.last4}
        case "ideal":
            return {"bank": "ing", "bic": "INGBNL2A"}
        case _:
            return {}
