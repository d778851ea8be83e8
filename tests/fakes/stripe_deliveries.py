"""Deliveries as Stripe makes them: the bodies of events, and signatures over them."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import secrets
from typing import Any

ACCOUNT_SECRET = "whsec_account_destination"
CONNECT_SECRET = "whsec_connect_destination"


def make_account_id() -> str:
    """Return an account id that no other test has."""
    return f"acct_{secrets.token_hex(8)}"


def make_intent_id() -> str:
    """Return the id of a payment intent that no other test has."""
    return f"pi_{secrets.token_hex(12)}"


def make_event_id() -> str:
    """Return an event id that no other test has."""
    return f"evt_{secrets.token_hex(12)}"


def sign(body: bytes, at: dt.datetime, *keys: str) -> str:
    """Return the header Stripe-Signature of a body, by one or more secrets."""
    seconds = int(at.timestamp())
    message = str(seconds).encode() + b"." + body
    made = (hmac.new(key.encode(), message, hashlib.sha256).hexdigest() for key in keys)
    return ",".join([f"t={seconds}", *(f"v1={each}" for each in made)])


def build_event(
    account_id: str | None, at: dt.datetime, *, intent_id: str = "", **fields: Any
) -> dict[str, Any]:
    """Return a snapshot event: a payment of an account, any by default, has succeeded, or what `fields` say."""
    event: dict[str, Any] = {
        "id": make_event_id(),
        "object": "event",
        "api_version": "2026-10-28.endive",
        "type": "payment_intent.succeeded",
        "created": int(at.timestamp()),
        "livemode": False,
        "data": {"object": {"object": "payment_intent", "id": intent_id or make_intent_id()}},
    }
    if account_id is not None:
        event["account"] = account_id
    return event | fields


def build_thin_event(account_id: str, at: dt.datetime, **fields: Any) -> dict[str, Any]:
    """Return a thin event about an account."""
    event = {
        "id": make_event_id(),
        "object": "v2.core.event",
        "type": "v2.core.account[configuration.merchant].capability_status_updated",
        "created": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "livemode": False,
        "related_object": {
            "id": account_id,
            "type": "v2.core.account",
            "url": f"/v2/core/accounts/{account_id}",
        },
    }
    return event | fields


def encode(event: dict[str, Any]) -> bytes:
    """Return the body that delivers an event."""
    return json.dumps(event, indent=2).encode()
