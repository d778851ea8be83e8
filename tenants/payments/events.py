"""What happened to money and to refunds. Amounts are in minor units of the currency; what came in is positive."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from tenants.activity.events import Event


class LedgerEntryAdded(Event, frozen=True, kw_only=True):
    """Money moved: by a payment, a refund, a dispute, or outside the portal."""

    kind: ClassVar[str] = "ledger.entry_added"

    invoice_id: UUID
    entry_id: UUID
    entry_kind: str
    source_id: str
    currency: str
    amount_minor: int
    attempt_id: UUID | None
    is_late: bool = False
    """It is of a payment that succeeded after it was given up, or for a void invoice."""


class RefundRequested(Event, frozen=True, kw_only=True):
    """Somebody asked for a part of a payment to be given back."""

    kind: ClassVar[str] = "refund.requested"

    invoice_id: UUID
    refund_id: UUID
    attempt_id: UUID
    currency: str
    amount_minor: int


class RefundEnded(Event, frozen=True, kw_only=True):
    """A refund that was asked for succeeded, failed, was cancelled, or was refused by the provider."""

    kind: ClassVar[str] = "refund.ended"

    invoice_id: UUID
    refund_id: UUID
    state: str
    failure: str


class DisputeChanged(Event, frozen=True, kw_only=True):
    """A dispute or inquiry about a payment was opened, or its status changed."""

    kind: ClassVar[str] = "dispute.changed"

    invoice_id: UUID
    dispute_id: UUID
    before: str | None
    after: str
