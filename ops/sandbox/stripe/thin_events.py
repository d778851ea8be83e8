"""The thin events of v2: what is delivered names the account alone, and the whole event is asked for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.sandbox.stripe.account_bodies import write_time
from ops.sandbox.stripe.refusals import refuse_v2
from ops.sandbox.stripe.routing import Answer, Call, Router


@dataclass(frozen=True, slots=True)
class ThinEvent:
    """Something that happened to an account."""

    event_id: str
    event_type: str
    account_id: str
    created_at: datetime
    data: dict[str, Any] | None

    def write_notification(self) -> dict[str, Any]:
        """Write what is delivered to an event destination."""
        account = {"id": self.account_id, "type": "v2.core.account"}
        return {
            "id": self.event_id,
            "object": "v2.core.event",
            "type": self.event_type,
            "created": write_time(self.created_at),
            "livemode": False,
            "related_object": {**account, "url": f"/v2/core/accounts/{self.account_id}"},
        }

    def write_event(self) -> dict[str, Any]:
        """Write what is answered to whoever asks for the event."""
        data = {} if self.data is None else {"data": self.data}
        return {**self.write_notification(), **data, "changes": None, "reason": None}


class ThinEvents:
    """All thin events, the oldest first."""

    def __init__(
        self, *, deliver: Callable[[dict[str, Any]], None], read_clock: Callable[[], datetime]
    ) -> None:
        self._deliver = deliver
        self._read_clock = read_clock
        self.events: dict[str, ThinEvent] = {}
        self.router = Router()
        self.router.add("GET", "/v2/core/events", self._list)
        self.router.add("GET", "/v2/core/events/{event_id}", self._retrieve)

    def emit_thin(self, event_type: str, account_id: str, data: dict[str, Any] | None = None) -> None:
        """Keep an event, and deliver its notification to the scope of the platform's own account."""
        event_id = f"evt_test_{secrets.token_hex(12)}"
        event = ThinEvent(event_id, event_type, account_id, self._read_clock(), data)
        self.events[event_id] = event
        self._deliver(event.write_notification())

    def _retrieve(self, _call: Call, event_id: str) -> Answer:
        event = self.events.get(event_id)
        if event is None:
            raise refuse_v2(404, "not_found", f"No such event: '{event_id}'")
        return Answer(event.write_event())

    def _list(self, call: Call) -> Answer:
        wanted = call.parameters.get("object_id")
        found = [one for one in reversed(self.events.values()) if wanted in {None, one.account_id}]
        start, limit = int(call.parameters.get("page", 0)), int(call.parameters.get("limit", 20))
        further = f"/v2/core/events?limit={limit}&page={start + limit}" if found[start + limit :] else None
        data = [one.write_event() for one in found[start : start + limit]]
        return Answer({"data": data, "next_page_url": further, "previous_page_url": None})
