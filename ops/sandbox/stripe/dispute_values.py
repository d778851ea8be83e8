"""Disputes of charges, and their JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

#: How long the business has to answer.
ANSWER_TIME: Final = 21 * 86_400


class DisputeStatus(StrEnum):
    """The states of a dispute; those of an inquiry begin with `warning`."""

    INQUIRY = "warning_needs_response"
    INQUIRY_REVIEW = "warning_under_review"
    INQUIRY_CLOSED = "warning_closed"
    OPEN = "needs_response"
    REVIEW = "under_review"
    WON = "won"
    LOST = "lost"

    @property
    def is_inquiry(self) -> bool:
        """Whether the bank only asks, or only asked: no money has moved."""
        return self.value.startswith("warning")

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""
        return self in {DisputeStatus.INQUIRY_CLOSED, DisputeStatus.WON, DisputeStatus.LOST}


@dataclass(slots=True)
class Dispute:
    """A dispute of a charge."""

    id: str
    created: int
    charge: str
    intent: str
    amount: int
    currency: str
    reason: str
    status: DisputeStatus
    brand: str
    movements: list[str] = field(default_factory=list)
    """The ids of its balance transactions."""
    evidence: dict[str, str] = field(default_factory=dict)
    submissions: int = 0
    metadata: dict[str, str] = field(default_factory=dict)


_REASON_CODES: Final = {"fraudulent": "10.4", "product_not_received": "13.1"}
_FILES: Final = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)
#: The texts that a business answers a dispute with.
TEXTS: Final = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
)


def write_dispute(dispute: Dispute, movements: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Write a dispute with its balance transactions."""
    evidence = dict.fromkeys((*_FILES, *TEXTS)) | {"appeal": None, "enhanced_evidence": {}} | dispute.evidence
    card = {
        "brand": dispute.brand,
        "case_type": "inquiry" if dispute.status.is_inquiry else "chargeback",
        "network": dispute.brand,
        "network_reason_code": _REASON_CODES.get(dispute.reason),
    }
    return {
        "id": dispute.id,
        "object": "dispute",
        "amount": dispute.amount,
        "balance_transactions": list(movements),
        "charge": dispute.charge,
        "created": dispute.created,
        "currency": dispute.currency,
        "enhanced_eligibility_types": [],
        "evidence": evidence,
        "evidence_details": {
            "due_by": dispute.created + ANSWER_TIME,
            "enhanced_eligibility": {},
            "has_evidence": bool(dispute.evidence),
            "past_due": False,
            "submission_count": dispute.submissions,
            "submission_method": "manual" if dispute.submissions else "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": dispute.status.is_inquiry or dispute.status is DisputeStatus.WON,
        "livemode": False,
        "metadata": dict(dispute.metadata),
        "network_reason_code": card["network_reason_code"],
        "payment_intent": dispute.intent,
        "payment_method_details": {"card": card, "type": "card"},
        "reason": dispute.reason,
        "status": dispute.status.value,
    }
