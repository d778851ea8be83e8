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
    """The stored status. Overdue and partly paid are not stored: they follow from the date and the payments."""

    DRAFT = "draft"
    ISSUED = "issued"
    PAID = "paid"
    VOID = "void"
    WRITTEN_OFF = "written_off"

    @property
    def label(self) -> str:
        """The status as messages name it."""
        return self.value.replace("_", " ")


# A paid invoice is issued again when a payment is refunded or charged back; a debt that was written off can
# still be paid or claimed. A draft that is not wanted is deleted; void is final.
TRANSITIONS: Final[Mapping[InvoiceStatus, frozenset[InvoiceStatus]]] = MappingProxyType(
    {
        InvoiceStatus.DRAFT: frozenset({InvoiceStatus.ISSUED}),
        InvoiceStatus.ISSUED: frozenset({InvoiceStatus.PAID, InvoiceStatus.VOID, InvoiceStatus.WRITTEN_OFF}),
        InvoiceStatus.PAID: frozenset({InvoiceStatus.ISSUED}),
        InvoiceStatus.WRITTEN_OFF: frozenset({InvoiceStatus.PAID, InvoiceStatus.ISSUED}),
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
    VOID = "void"
    WRITTEN_OFF = "written_off"


_STATES_BY_STATUS: Final = MappingProxyType(
    {
        InvoiceStatus.DRAFT: PaymentState.DRAFT,
        InvoiceStatus.PAID: PaymentState.PAID,
        InvoiceStatus.VOID: PaymentState.VOID,
        InvoiceStatus.WRITTEN_OFF: PaymentState.WRITTEN_OFF,
    }
)


def check_transition(current: InvoiceStatus, wanted: InvoiceStatus) -> InvoiceStatus:
    """Return the wanted status; Conflict("invoice.status") if TRANSITIONS does not lead there."""
    if wanted not in TRANSITIONS[current]:
        message = f"An invoice that is {current.label} cannot become {wanted.label}."
        raise Conflict("invoice.status", message, current=current.value, wanted=wanted.value)
    return wanted


def derive_status(current: InvoiceStatus, *, total: Money, paid: Money) -> InvoiceStatus:
    """Return the status that follows from the amount paid in all.

    A void invoice stays void, whatever was paid; one written off stays so until all is paid. An invoice whose
    total is zero stays issued, so that it can be voided.
    """
    if current in {InvoiceStatus.VOID, InvoiceStatus.DRAFT}:
        return current
    if paid and paid >= total:
        return InvoiceStatus.PAID
    return current if current is InvoiceStatus.WRITTEN_OFF else InvoiceStatus.ISSUED


def compute_amount_due(total: Money, paid: Money) -> Money:
    """Return what is still to be paid: never below zero, also after an overpayment."""
    return max(total - paid, Money.zero(total.currency))


def derive_payment_state(
    status: InvoiceStatus,
    *,
    total: Money,
    paid: Money,
    held: Money,
    due_date: dt.date | None,
    today: dt.date,
) -> PaymentState:
    """Return the state of an invoice of `total` payable, of which `paid` is paid and `held` is being paid.

    An invoice with nothing outstanding is paid, a total of zero or below included. `processing` means that
    the running payments cover all that is outstanding. The due day itself is not overdue; `today` is the
    date in the workspace's time zone. Invalid("invoice.paid_negative") if paid or held is below zero.
    """
    zero = Money.zero(total.currency)
    if paid < zero or held < zero:
        raise Invalid("invoice.paid_negative", "What was paid or is held is never below zero.")
    if status in _STATES_BY_STATUS:
        return _STATES_BY_STATUS[status]
    outstanding = compute_amount_due(total, paid)
    if not outstanding:
        return PaymentState.PAID
    if held >= outstanding:
        return PaymentState.PROCESSING
    if due_date is not None and due_date < today:
        return PaymentState.OVERDUE
    return PaymentState.PARTLY_PAID if paid else PaymentState.DUE
