"""The control interface over HTTP: `POST /_sandbox/<verb>` with JSON, for the demo and for tests of processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any, Final, TypeVar

import msgspec

from ops.sandbox.stripe.accounts import CapabilityStatus
from ops.sandbox.stripe.books import Books
from ops.sandbox.stripe.contract import Contract
from ops.sandbox.stripe.control import Control
from ops.sandbox.stripe.deliveries import Deliveries, DeliveryPlan, DeliveryResult
from ops.sandbox.stripe.faults import Fault
from ops.sandbox.stripe.methods import DisputeKind
from ops.sandbox.stripe.routing import Answer, Call, Router

PREFIX: Final = "/_sandbox"
_Fields = Mapping[str, Any]
_T = TypeVar("_T")
_act = Callable[[_Fields], str | None]


class ControlRoutes:
    """Answers the control interface: {"id": …} for a verb that makes something, {} for the others."""

    def __init__(self, control: Control, deliveries: Deliveries, books: Books, contract: Contract) -> None:
        self._control = control
        self._deliveries = deliveries
        self._books = books
        self._contract = contract
        self._verbs = _list_verbs(control)
        self.router = router = Router()
        router.add("POST", f"{PREFIX}/deliver_pending", self._deliver)
        router.add("POST", f"{PREFIX}/{{verb}}", self._play)
        router.add("GET", f"{PREFIX}/books/{{account_id}}", self._show_books)
        router.add("GET", f"{PREFIX}/violations", self._show_violations)
        router.add("GET", f"{PREFIX}/deliveries", self._show_deliveries)

    def _play(self, call: Call, verb: str) -> Answer:
        act = self._verbs.get(verb)
        if act is None:
            return Answer({"problem": f"There is no verb {verb}."}, status=404)
        # No page of another site can send JSON without asking first, and nobody answers that question.
        if call.headers.get("content-type", "").partition(";")[0] != "application/json":
            return Answer({"problem": "The fields are JSON."}, status=415)
        try:
            made = act(call.parameters)
        except (KeyError, TypeError, ValueError) as error:
            return Answer({"problem": f"{type(error).__name__}: {error}"}, status=400)
        return Answer({} if made is None else {"id": made})

    async def _deliver(self, _call: Call) -> Answer:
        results = await self._control.deliver_pending()
        return Answer({"results": [_write_result(one) for one in results]})

    def _show_books(self, _call: Call, account_id: str) -> Answer:
        found = self._books.read(account_id)
        return Answer({intent: {**asdict(one), "net": one.net} for intent, one in found.items()})

    def _show_violations(self, _call: Call) -> Answer:
        return Answer({"violations": list(self._contract.violations), "checked": self._contract.checked})

    def _show_deliveries(self, _call: Call) -> Answer:
        waiting = [
            {
                "scope": one.scope.value,
                "event": one.body["id"],
                "type": one.body["type"],
                "attempts": one.attempts,
            }
            for one in self._deliveries.pending
        ]
        done = [_write_result(one) for one in self._deliveries.results]
        return Answer({"pending": waiting, "dropped": len(self._deliveries.dropped), "results": done})


def _list_verbs(control: Control) -> dict[str, _act]:
    return {
        "create_account": lambda given: _create_account(control, given),
        "create_confirmation_token": lambda given: control.create_confirmation_token(
            given["account"], given.get("card", "4242424242424242"), return_url=given.get("return_url", "")
        ),
        "settle": lambda given: control.settle(given["intent"]),
        "fail": lambda given: control.fail(given["intent"]),
        "refund": lambda given: control.refund(given["charge"], given.get("amount")),
        "settle_refund": lambda given: control.settle_refund(given["refund"]),
        "fail_refund": lambda given: control.fail_refund(given["refund"]),
        "open_dispute": lambda given: control.open_dispute(
            given["charge"],
            funds=given.get("funds", True),
            amount=given.get("amount"),
            kind=DisputeKind(given.get("kind", DisputeKind.FRAUDULENT)),
        ),
        "escalate_dispute": lambda given: control.escalate_dispute(given["dispute"]),
        "win_dispute": lambda given: control.win_dispute(given["dispute"]),
        "lose_dispute": lambda given: control.lose_dispute(given["dispute"]),
        "deauthorise": lambda given: control.deauthorise(given["account"]),
        "authorise": lambda given: control.authorise(given["account"]),
        "set_capability": lambda given: control.set_capability(given["account"], given["status"]),
        "add_fault": lambda given: control.add_fault(_read(given, Fault)),
        "clear_faults": lambda _given: control.clear_faults(),
        "plan_deliveries": lambda given: control.plan_deliveries(_read(given, DeliveryPlan)),
        "resend_dropped": lambda _given: control.resend_dropped(),
    }


def _create_account(control: Control, given: _Fields) -> str:
    return control.create_account(
        account_id=given.get("account_id", ""),
        display_name=given.get("display_name", "Test business"),
        country=given.get("country", "DE"),
        currency=given.get("currency", "eur"),
        status=CapabilityStatus(given.get("status", CapabilityStatus.ACTIVE)),
    )


def _read(given: _Fields, kind: type[_T]) -> _T:
    unknown = given.keys() - {one.name for one in fields(kind)}  # type: ignore[arg-type]
    if unknown:
        message = f"{kind.__name__} has no {', '.join(sorted(unknown))}."
        raise ValueError(message)
    return msgspec.convert(given, kind)


def _write_result(result: DeliveryResult) -> dict[str, Any]:
    return {
        "scope": result.scope.value,
        "event": result.event_id,
        "type": result.event_type,
        "status": result.status,
    }
