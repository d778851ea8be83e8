"""Texts of the page in the customer's language: the state of payment, the due date, the choice of languages."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from tenants.invoices.status import PaymentState
from web.http.negotiation import LANGUAGES
from web.portal.page import LanguageForm, LanguageOption, Status

if TYPE_CHECKING:
    import datetime as dt

    from kernel.language import Language

PAYABLE: Final = frozenset({PaymentState.DUE, PaymentState.OVERDUE, PaymentState.PARTLY_PAID})

_ICONS: Final = {
    PaymentState.DUE: "clock",
    PaymentState.OVERDUE: "alert",
    PaymentState.PARTLY_PAID: "half",
    PaymentState.PROCESSING: "hourglass",
    PaymentState.PAID: "check",
    PaymentState.OVERPAID: "added",
    PaymentState.DISPUTED: "question",
    PaymentState.VOID: "cross",
    PaymentState.WRITTEN_OFF: "minus",
}


def describe_status(state: PaymentState, language: Language, *, was_never_payable: bool = False) -> Status:
    """Return the word for a state; a draft has none, because no customer ever sees one.

    `was_never_payable`, here and below: there never was anything to pay, so the invoice is not called paid.
    """
    _ = language.gettext
    if was_never_payable and state is PaymentState.PAID:
        return Status(state.value, _("Nothing to pay"), _ICONS[state])
    word = {
        PaymentState.DUE: _("Due"),
        PaymentState.OVERDUE: _("Overdue"),
        PaymentState.PARTLY_PAID: _("Partly paid"),
        PaymentState.PROCESSING: _("Processing"),
        PaymentState.PAID: _("Paid"),
        PaymentState.OVERPAID: _("Overpaid"),
        PaymentState.DISPUTED: _("Disputed"),
        PaymentState.VOID: _("Void"),
        PaymentState.WRITTEN_OFF: _("Closed"),
    }[state]
    return Status(state.value, word, _ICONS[state])


def explain_state(state: PaymentState, language: Language, *, was_never_payable: bool = False) -> str:
    """Return the sentence for a state in which nothing is to be paid; empty where something is."""
    _ = language.gettext
    match state:
        case PaymentState.PAID if was_never_payable:
            return _("You do not need to do anything.")
        case PaymentState.PAID | PaymentState.OVERPAID:
            return _("This invoice is paid. Thank you.")
        case PaymentState.DISPUTED:
            return _("A payment of this invoice is disputed. Please do not pay it again.")
        case PaymentState.VOID:
            return _("This invoice was cancelled. Please do not pay it.")
        case PaymentState.WRITTEN_OFF:
            return _("This invoice is closed. Nothing needs to be paid.")
        case PaymentState.PROCESSING:
            return _("A payment is on its way. You do not need to do anything.")
        case _:
            return ""


def label_amount(state: PaymentState, language: Language, *, was_never_payable: bool = False) -> str:
    """Return the label of the large amount: amount due, paid, or total."""
    _ = language.gettext
    match state:
        case PaymentState.PAID if was_never_payable:
            return _("Total")
        case PaymentState.PAID | PaymentState.OVERPAID:
            return _("Paid")
        case PaymentState.VOID | PaymentState.WRITTEN_OFF | PaymentState.DISPUTED:
            return _("Total")
        case PaymentState.PROCESSING:
            return _("Being processed")
        case _:
            return _("Amount due")


def describe_due_date(due: dt.date | None, today: dt.date, state: PaymentState, language: Language) -> str:
    """Return the days until or since the due date; empty without a date and when nothing is payable."""
    if due is None or state not in PAYABLE:
        return ""
    days = (due - today).days
    if days == 0:
        return language.gettext("due today")
    if days == 1:
        return language.gettext("due tomorrow")
    if days > 0:
        words = language.ngettext("due in %(days)s day", "due in %(days)s days", days)
    else:
        words = language.ngettext("%(days)s day overdue", "%(days)s days overdue", -days)
    return words % {"days": language.format_decimal(Decimal(abs(days)))}


def build_language_form(language: Language, *, action: str, token: str = "", error: str = "") -> LanguageForm:
    """Return the form that chooses the page's language; `language` is the current one."""
    options = tuple(
        LanguageOption(code, name, is_current=code == language.message_tag)
        for code, name in LANGUAGES.items()
    )
    return LanguageForm(action, token, error, options)
