"""Disputes: opened, answered, won and lost. Only `funds_withdrawn` and `funds_reinstated` move money.

Source: https://docs.stripe.com/disputes/how-disputes-work, and https://docs.stripe.com/testing#disputes for the
evidence that decides a dispute of the test mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ops.sandbox.stripe.accounts import EventSink
from ops.sandbox.stripe.bodies import write_movement
from ops.sandbox.stripe.dispute_values import TEXTS, Dispute, DisputeStatus, write_dispute
from ops.sandbox.stripe.listing import expand, write_page
from ops.sandbox.stripe.methods import DisputeKind
from ops.sandbox.stripe.refusals import ApiRefusal, refuse_v1
from ops.sandbox.stripe.routing import Answer, Call, Router
from ops.sandbox.stripe.store import Account, Charge, MovementKind, Store, new_id, refuse_missing

#: What Stripe takes for a dispute, in a currency of two decimals.
_FEE: Final = 2000
_WINNING: Final = "winning_evidence"
_LOSING: Final = "losing_evidence"
_ESCALATING: Final = "escalate_inquiry_evidence"


class Disputes:
    """The verbs on disputes, and their routes."""

    def __init__(self, store: Store, events: EventSink) -> None:
        self._store = store
        self._events = events
        self.router = Router()
        self.router.add("GET", "/v1/disputes", self._list)
        self.router.add("GET", "/v1/disputes/{dispute_id}", self._retrieve)
        self.router.add("POST", "/v1/disputes/{dispute_id}", self._update)
        self.router.add("POST", "/v1/disputes/{dispute_id}/close", self._close)

    def open(
        self, account: Account, charge: Charge, kind: DisputeKind, *, amount: int | None = None
    ) -> Dispute:
        """Let the payer's bank dispute a charge, wholly by default; it takes the money unless it only inquires."""
        if charge.status != "succeeded":
            raise refuse_v1(400, None, f"The charge {charge.id} has moved no money that could be disputed.")
        if any(one.charge == charge.id and not one.status.is_final for one in account.disputes.values()):
            raise refuse_v1(400, None, f"The charge {charge.id} is disputed already.")
        lost = sum(
            one.amount
            for one in account.disputes.values()
            if one.charge == charge.id and one.status is DisputeStatus.LOST
        )
        amount = charge.amount - lost if amount is None else amount
        if not 0 < amount <= charge.amount - lost:
            message = "The amount is not what lost disputes have left of the charge, or less."
            raise refuse_v1(400, None, message, param="amount")
        is_inquiry = kind is DisputeKind.INQUIRY
        dispute = Dispute(
            id=new_id("du"),
            created=self._store.read_time(),
            charge=charge.id,
            intent=charge.intent,
            amount=amount,
            currency=charge.currency,
            reason=DisputeKind.FRAUDULENT.value if is_inquiry else kind.value,
            status=DisputeStatus.INQUIRY if is_inquiry else DisputeStatus.OPEN,
            brand=charge.method.test.brand,
        )
        account.disputes[dispute.id] = dispute
        # The first event may say that nothing has moved yet: the withdrawal is an event of its own.
        self._emit(account, dispute, "created")
        if not is_inquiry:
            self._withdraw(account, dispute)
        return dispute

    def escalate(self, account: Account, dispute: Dispute) -> None:
        """Let the bank make a dispute of its inquiry."""
        if not dispute.status.is_inquiry or dispute.status.is_final:
            raise _refuse_status(dispute)
        dispute.status, dispute.submissions = DisputeStatus.OPEN, 0
        self._emit(account, dispute, "updated")
        self._withdraw(account, dispute)

    def answer(self, account: Account, dispute: Dispute) -> None:
        """Let the business send its evidence; some texts of the test mode decide at once."""
        if dispute.status not in {DisputeStatus.INQUIRY, DisputeStatus.OPEN}:
            raise _refuse_status(dispute)
        is_inquiry = dispute.status.is_inquiry
        dispute.status = DisputeStatus.INQUIRY_REVIEW if is_inquiry else DisputeStatus.REVIEW
        dispute.submissions += 1
        self._emit(account, dispute, "updated")
        text = dispute.evidence.get("uncategorized_text")
        if text == _WINNING:
            self.win(account, dispute)
        elif text == _LOSING:
            self.lose(account, dispute)
        elif text == _ESCALATING and is_inquiry:
            self.escalate(account, dispute)

    def win(self, account: Account, dispute: Dispute) -> None:
        """Let the business win: the money comes back. An inquiry is closed."""
        if not dispute.status.is_inquiry and not dispute.status.is_final:
            self._reinstate(account, dispute)
        self._end(account, dispute, DisputeStatus.WON)

    def lose(self, account: Account, dispute: Dispute) -> None:
        """Let the business lose: the payer keeps the money. An inquiry is closed."""
        self._end(account, dispute, DisputeStatus.LOST)

    def find(self, dispute_id: str) -> tuple[Account, Dispute]:
        """Return a dispute and its account, for the control alone: the API knows the account."""
        for account in self._store.accounts.values():
            if dispute_id in account.disputes:
                return account, account.disputes[dispute_id]
        raise refuse_missing("dispute", dispute_id, param="dispute")

    def _withdraw(self, account: Account, dispute: Dispute) -> None:
        charge = account.charges[dispute.charge]
        charge.is_disputed = charge.is_charged_back = True
        self._move(account, dispute, MovementKind.DISPUTE_WITHDRAWN, -dispute.amount, fee=_FEE)
        self._emit(account, dispute, "funds_withdrawn")

    def _reinstate(self, account: Account, dispute: Dispute) -> None:
        taken = -sum(account.movements[one].amount for one in dispute.movements)
        account.charges[dispute.charge].is_charged_back = False
        self._move(account, dispute, MovementKind.DISPUTE_REINSTATED, taken)
        self._emit(account, dispute, "funds_reinstated")

    def _move(
        self, account: Account, dispute: Dispute, kind: MovementKind, amount: int, *, fee: int = 0
    ) -> None:
        movement = self._store.record(
            account,
            kind,
            dispute.id,
            intent=dispute.intent,
            amount=amount,
            currency=dispute.currency,
            fee=fee,
        )
        dispute.movements.append(movement.id)

    def _end(self, account: Account, dispute: Dispute, status: DisputeStatus) -> None:
        if dispute.status.is_final:
            raise _refuse_status(dispute)
        dispute.status = DisputeStatus.INQUIRY_CLOSED if dispute.status.is_inquiry else status
        self._emit(account, dispute, "closed")

    def _emit(self, account: Account, dispute: Dispute, change: str) -> None:
        body = _write(account, dispute)
        self._events.emit_snapshot(f"charge.dispute.{change}", account.account_id, body)

    def _list(self, call: Call) -> Answer:
        account = self._store.open(call.account_id)
        intent, charge = call.parameters.get("payment_intent"), call.parameters.get("charge")
        page = write_page(
            account.disputes,
            call.parameters,
            url=call.path,
            write=lambda one: _write(account, one),
            is_wanted=lambda one: intent in {None, one.intent} and charge in {None, one.charge},
        )
        return _answer(call, account, page)

    def _retrieve(self, call: Call, dispute_id: str) -> Answer:
        account = self._store.open(call.account_id)
        return _answer(call, account, _write(account, _find_own(account, dispute_id)))

    def _update(self, call: Call, dispute_id: str) -> Answer:
        account = self._store.open(call.account_id)
        dispute = _find_own(account, dispute_id)
        if dispute.status.is_final:
            raise _refuse_status(dispute)
        evidence: Mapping[str, Any] = call.parameters.get("evidence") or {}
        dispute.evidence |= {name: str(evidence[name]) for name in TEXTS if name in evidence}
        dispute.metadata |= call.parameters.get("metadata") or {}
        # Evidence is sent on by default, and cannot be taken back then.
        if evidence and call.parameters.get("submit", "true") == "true":
            self.answer(account, dispute)
        return _answer(call, account, _write(account, dispute))

    def _close(self, call: Call, dispute_id: str) -> Answer:
        account = self._store.open(call.account_id)
        dispute = _find_own(account, dispute_id)
        if dispute.status.is_inquiry or dispute.status.is_final:
            raise _refuse_status(dispute)
        self.lose(account, dispute)
        return _answer(call, account, _write(account, dispute))


def _write(account: Account, dispute: Dispute) -> dict[str, Any]:
    return write_dispute(dispute, [write_movement(account.movements[one]) for one in dispute.movements])


def _answer(call: Call, account: Account, body: dict[str, Any]) -> Answer:
    return Answer(expand(account, body, call.parameters.get("expand") or ()))


def _find_own(account: Account, dispute_id: str) -> Dispute:
    found = account.disputes.get(dispute_id)
    if found is None:
        raise refuse_missing("dispute", dispute_id, param="dispute")
    return found


def _refuse_status(dispute: Dispute) -> ApiRefusal:
    return refuse_v1(400, None, f"This dispute has the status {dispute.status} and cannot be changed so.")
