"""The snapshot events of connected accounts: each change appends one, and each is handed to the deliveries."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from stripe._api_version import _ApiVersion

from ops.sandbox.stripe.contract import Contract
from ops.sandbox.stripe.store import Store, new_id
from ops.sandbox.stripe.thin_events import ThinEvents

#: Takes the scope ("account" or "connect") and the body of what is to be delivered.
deliver_event = Callable[[str, dict[str, Any]], None]
_API_VERSION: Final = _ApiVersion.CURRENT


class Events:
    """Keeps all events; implements `accounts.EventSink`."""

    def __init__(self, store: Store, thin: ThinEvents, *, contract: Contract, deliver: deliver_event) -> None:
        self._store = store
        self._thin = thin
        self._contract = contract
        self._deliver = deliver

    def emit_thin(self, event_type: str, account_id: str, data: dict[str, Any] | None = None) -> None:
        """Send a thin event about an account to the scope of the platform's own account."""
        self._thin.emit_thin(event_type, account_id, data)

    def emit_snapshot(self, event_type: str, account_id: str, body: dict[str, Any]) -> None:
        """Keep an event of an account, and hand it to the deliveries."""
        event_id = new_id("evt")
        event = {
            "id": event_id,
            "object": "event",
            "account": account_id,
            "api_version": _API_VERSION,
            "created": self._store.read_time(),
            # What happens later must not change what was said.
            "data": {"object": json.loads(json.dumps(body))},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event_type,
        }
        self._contract.check_delivery(event)
        self._store.open(account_id).events[event_id] = event
        self._deliver("connect", event)
