"""The life of an invoice: what is stored, which steps are legal, and the word a customer reads."""

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
    """What is stored. Overdue and partly paid are not: they follow from the date and the payments."""

    DRAFT = "draft"
    ISSUED = "issued"
    PAID = "paid"
    VOID = "void"
    WRITTEN_OFF = "written_off"


# A paid invoice opens again when a payment is refunded or charged back; a debt that was written off can
# still be paid, or be claimed after all. A draft that is not wanted is deleted; void is the end.
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
    """The state of an invoice in the one word its page and its lists show."""

    DRAFT = "draft"
    DUE = "due"
    OVERDUE = "overdue"
    PARTLY_PAID = "partly_paid"
    PROCESSING = "processing"
    PAID = "paid"
    VOID = "void"
    WRITTEN_OFF = "written_off"


_FINAL_WORDS: Final = MappingProxyType(
    {
        InvoiceStatus.DRAFT: PaymentState.DRAFT,
        InvoiceStatus.PAID: PaymentState.PAID,
        InvoiceStatus.VOID: PaymentState.VOID,
        InvoiceStatus.WRITTEN_OFF: PaymentState.WRITTEN_OFF,
    }
)


def step(current: InvoiceStatus, wanted: InvoiceStatus) -> InvoiceStatus:
    """Return the wanted status; Conflict("invoice.status") if no step leads there from the current one."""
    if wanted not in TRANSITIONS[current]:
        words = f"An invoice that is {_spoken(current)} cannot become {_spoken(wanted)}."
        raise Conflict("invoice.status", words, current=current.value, wanted=wanted.value)
    return wanted


def amount_due(total: Money, paid: Money) -> Money:
    """Return what is still to be paid: never below nothing, whatever was overpaid or is owed back."""
    return max(total - paid, Money.zero(total.currency))


def payment_state(
    lifecycle: InvoiceStatus,
    *,
    total: Money,
    paid: Money,
    held: Money,
    due_date: dt.date | None,
    today: dt.date,
) -> PaymentState:
    """Return the word for an invoice of `total` payable, of which `paid` has arrived and `held` is under way.

    An invoice with nothing outstanding is paid, a total of zero or below included. `processing` means that
    the running payments cover all that is outstanding. The due day itself is not overdue; `today` is the
    date in the workspace's time zone. Invalid("invoice.paid_negative") if paid or held is below zero.
    """
    zero = Money.zero(total.currency)
    if paid < zero or held < zero:
        raise Invalid("invoice.paid_negative", "What was paid or is held is never below zero.")
    if lifecycle in _FINAL_WORDS:
        return _FINAL_WORDS[lifecycle]
    left = amount_due(total, paid)
    if not left:
        return PaymentState.PAID
    if held >= left:
        return PaymentState.PROCESSING
    if due_date is not None and due_date < today:
        return PaymentState.OVERDUE
    return PaymentState.PARTLY_PAID if paid else PaymentState.DUE


def _spoken(status: InvoiceStatus) -> str:
    return status.value.replace("_", " ")
