"""The status of an invoice: the stored one, its transitions, and the payment state that pages show."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from kernel.errors import Conflict, Invalid
from kernel.money import Money

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping


class InvoiceStatus(StrEnum):
    """The stored status. Paid, partly paid and overdue are not stored: they follow from the payments and the date."""

    DRAFT = "draft"
    ISSUED = "issued"
    VOID = "void"
    WRITTEN_OFF = "written_off"

    @property
    def label(self) -> str:
        """The status as messages name it."""
        return self.value.replace("_", " ")


# A draft that is not wanted is deleted; void and written off are final, also where money still arrives.
TRANSITIONS: Final[Mapping[InvoiceStatus, frozenset[InvoiceStatus]]] = MappingProxyType(
    {
        InvoiceStatus.DRAFT: frozenset({InvoiceStatus.ISSUED}),
        InvoiceStatus.ISSUED: frozenset({InvoiceStatus.VOID, InvoiceStatus.WRITTEN_OFF}),
        InvoiceStatus.WRITTEN_OFF: frozenset(),
        InvoiceStatus.VOID: frozenset(),
    }
)


class PaymentState(StrEnum):
    """The state of an invoice as its page and lists show it."""

    DRAFT = "draft"
    DUE = "due"
    OVERDUE = "overdue"
    PARTLY_PAID = "partly_paid"
    PROCESSING = "processing"
    PAID = "paid"
    OVERPAID = "overpaid"
    DISPUTED = "disputed"
    VOID = "void"
    WRITTEN_OFF = "written_off"


def check_transition(current: InvoiceStatus, wanted: InvoiceStatus) -> InvoiceStatus:
    """Return the wanted status; Conflict("invoice.status") if TRANSITIONS does not lead there."""
    if wanted not in TRANSITIONS[current]:
        message = f"An invoice that is {current.label} cannot become {wanted.label}."
        raise Conflict("invoice.status", message, current=current.value, wanted=wanted.value)
    return wanted


def compute_amount_due(total: Money, paid: Money) -> Money:
    """Return what is still to be paid: never below zero, also after an overpayment."""
    return max(total - paid, Money.zero(total.currency))


def derive_payment_state(
    status: InvoiceStatus,
    *,
    total: Money,
    paid: Money,
    processing: Money,
    is_disputed: bool,
    due_date: dt.date | None,
    today: dt.date,
) -> PaymentState:
    """Return the state of an invoice of `total` payable, of which `paid` is paid.

    `processing` is the sum of the confirmed payments without a result yet; the state of this name means that they
    cover all that is outstanding. What is only held, because somebody is about to pay, changes no state. An invoice
    with nothing outstanding is paid, a total of zero or below included; one that was written off is so once all was
    paid. After refunds and disputes `paid` can be below zero. The due day itself is not overdue; `today` is the date in
    the workspace's time zone. Invalid("invoice.processing_negative").
    """
    zero = Money.zero(total.currency)
    if processing < zero:
        raise Invalid("invoice.processing_negative", "What is being processed is never below zero.")
    if status in {InvoiceStatus.DRAFT, InvoiceStatus.VOID}:
        return PaymentState(status.value)
    if is_disputed:
        return PaymentState.DISPUTED
    if paid > max(total, zero):
        return PaymentState.OVERPAID
    outstanding = compute_amount_due(total, paid)
    if status is InvoiceStatus.WRITTEN_OFF and (outstanding or not paid):
        return PaymentState.WRITTEN_OFF
    if not outstanding:
        return PaymentState.PAID
    if processing >= outstanding:
        return PaymentState.PROCESSING
    if due_date is not None and due_date < today:
        return PaymentState.OVERDUE
    return PaymentState.PARTLY_PAID if paid > zero else PaymentState.DUE
