"""Bodies of Stripe's API with the fields that the product reads; the sandbox has complete ones."""

from __future__ import annotations

from typing import Any

CREATED = 1_773_650_000


def build_intent(**fields: Any) -> dict[str, Any]:
    """Return a payment intent of 12.34 euros that nobody has confirmed."""
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1234,
        "currency": "eur",
        "status": "requires_payment_method",
        "livemode": False,
        "created": CREATED,
        "metadata": {},
        "client_secret": "pi_1_secret_x",
        "latest_charge": None,
        "payment_method": None,
        "next_action": None,
        "last_payment_error": None,
    } | fields


def build_charge(**fields: Any) -> dict[str, Any]:
    """Return its charge by card."""
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": 1234,
        "amount_captured": 1234,
        "captured": True,
        "status": "succeeded",
        "currency": "eur",
        "created": CREATED,
        "payment_method_details": {"type": "card"},
    } | fields


def build_refund(**fields: Any) -> dict[str, Any]:
    """Return a refund of two euros."""
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 200,
        "currency": "eur",
        "status": "succeeded",
        "created": CREATED,
        "metadata": {},
    } | fields


def build_dispute(**fields: Any) -> dict[str, Any]:
    """Return a dispute of the whole charge, before money has moved."""
    return {
        "id": "du_1",
        "object": "dispute",
        "amount": 1234,
        "currency": "eur",
        "status": "needs_response",
        "reason": "fraudulent",
        "created": CREATED,
        "evidence_details": {"due_by": CREATED + 86_400},
        "balance_transactions": [],
    } | fields


def build_movement(amount: int, *, number: int = 1, currency: str = "eur") -> dict[str, Any]:
    """Return a balance transaction of a dispute, in the currency that the account settles in."""
    return {
        "id": f"txn_{number}",
        "object": "balance_transaction",
        "amount": amount,
        "fee": 1500,
        "currency": currency,
        "created": CREATED,
    }


def build_list(*items: dict[str, Any], has_more: bool = False) -> dict[str, Any]:
    """Return a page of a list."""
    return {"object": "list", "url": "/v1/x", "has_more": has_more, "data": list(items)}


def build_account(status: str = "active", *requirements: str, **fields: Any) -> dict[str, Any]:
    """Return an account of the v2 API; each requirement waits for the business."""
    entries = [
        {
            "awaiting_action_from": "user",
            "description": each,
            "minimum_deadline": {"status": "currently_due"},
        }
        for each in requirements
    ]
    return {
        "id": "acct_1",
        "object": "v2.core.account",
        "livemode": False,
        "closed": False,
        "configuration": {"merchant": {"capabilities": {"card_payments": {"status": status}}}},
        "requirements": {"entries": entries},
    } | fields
