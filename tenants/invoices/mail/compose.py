"""Composes the mails with links to invoices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from kernel.clock import Clock, find_zone, today
from kernel.language import Language
from kernel.mail import MailTemplates, OutgoingMail, build_message_id
from kernel.money import Money
from kernel.text import isolate
from tenants.invoices.status import PaymentState, compute_amount_due, derive_payment_state
from tenants.invoices.values import InvoiceSummary, MailedLink
from tenants.workspaces.mail_sender import MailSender

TEMPLATES: Final = MailTemplates(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class LinkLine:
    """One invoice in a mail with several links."""

    number: str
    amount: str
    note: str
    url: str


def compose_invoice_mail(
    link: MailedLink, sender: MailSender, *, message_id: str, clock: Clock
) -> OutgoingMail:
    """Return the mail that sends an invoice: what is owed, until when, and the link. Takes some milliseconds."""
    language = TEMPLATES.load_language(link.locale)
    _ = language.gettext
    invoice = link.invoice
    state = _derive_state(invoice, sender, clock)
    label, amount = _label_amount(invoice, state, language)
    title = _("Invoice %(number)s") % {"number": invoice.number or ""}
    body = TEMPLATES.render(
        "invoice",
        language,
        sender.brand,
        {
            "title": title,
            "greeting": greet(link.contact_name, language),
            "introduction": _introduce(state, sender, language),
            "amount_label": label,
            "amount": language.format_money(amount),
            "number": invoice.number or "",
            "issued": _format_day(invoice.issue_date, language),
            "due": _format_day(invoice.due_date, language) if _is_payable(state) else "",
            "expires": _format_moment(link.expires_at, sender, language),
            "url": sender.url(f"/i/{link.token}"),
        },
    )
    return OutgoingMail(
        purpose="invoice",
        message_id=message_id,
        to=link.email,
        to_name=link.contact_name,
        sender_name=sender.profile.name,
        reply_to=sender.email,
        subject=_("Invoice %(number)s from %(sender)s")
        % {"number": invoice.number or "", "sender": sender.profile.name},
        html=body.html,
        text=body.text,
        thread_id=build_thread_id(invoice.invoice_id, sender),
    )


def compose_fresh_links_mail(
    links: Sequence[MailedLink], sender: MailSender, *, message_id: str, clock: Clock
) -> OutgoingMail:
    """Return the mail with one or more fresh links to invoices of the same recipient. Takes some milliseconds."""
    first = links[0]
    language = TEMPLATES.load_language(first.locale)
    _ = language.gettext
    title = language.ngettext("Your link", "Your links", len(links))
    introduction = language.ngettext(
        "You asked %(sender)s for a fresh link to your invoice.",
        "You asked %(sender)s for fresh links to your invoices.",
        len(links),
    )
    body = TEMPLATES.render(
        "fresh_links",
        language,
        sender.brand,
        {
            "title": title,
            "greeting": greet(first.contact_name, language),
            "introduction": introduction % {"sender": isolate(sender.profile.name)},
            "lines": [_build_line(link, sender, clock, language) for link in links],
        },
    )
    subject = language.ngettext(
        "Your fresh link to an invoice of %(sender)s",
        "Your fresh links to invoices of %(sender)s",
        len(links),
    )
    return OutgoingMail(
        purpose="fresh_links",
        message_id=message_id,
        to=first.email,
        to_name=first.contact_name,
        sender_name=sender.profile.name,
        reply_to=sender.email,
        subject=subject % {"sender": sender.profile.name},
        html=body.html,
        text=body.text,
    )


def build_thread_id(invoice_id: UUID, sender: MailSender) -> str:
    """Return the message id of the root of all mails about an invoice; no mail has it."""
    return build_message_id("invoice", invoice_id, sender.host)


def greet(name: str, language: Language) -> str:
    """Return the first line of a mail to a person; the name may be empty."""
    _ = language.gettext
    return _("Hello %(name)s,") % {"name": isolate(name)} if name else _("Hello,")


def _build_line(link: MailedLink, sender: MailSender, clock: Clock, language: Language) -> LinkLine:
    invoice = link.invoice
    state = _derive_state(invoice, sender, clock)
    label, amount = _label_amount(invoice, state, language)
    due = _format_day(invoice.due_date, language) if _is_payable(state) else ""
    note = language.gettext("due on %(date)s") % {"date": due} if due else label
    return LinkLine(invoice.number or "", language.format_money(amount), note, sender.url(f"/i/{link.token}"))


def _derive_state(invoice: InvoiceSummary, sender: MailSender, clock: Clock) -> PaymentState:
    return derive_payment_state(
        invoice.status,
        total=invoice.total,
        paid=invoice.paid,
        processing=invoice.processing,
        is_disputed=invoice.is_disputed,
        due_date=invoice.due_date,
        today=today(clock, sender.profile.time_zone),
    )


def _is_payable(state: PaymentState) -> bool:
    return state in {PaymentState.DUE, PaymentState.OVERDUE, PaymentState.PARTLY_PAID}


def _label_amount(invoice: InvoiceSummary, state: PaymentState, language: Language) -> tuple[str, Money]:
    _ = language.gettext
    if _is_payable(state):
        return _("Amount due"), compute_amount_due(invoice.total, invoice.paid)
    if state in {PaymentState.PAID, PaymentState.OVERPAID} and invoice.paid.minor > 0:
        return _("Paid"), invoice.paid
    return _("Total"), invoice.total


def _introduce(state: PaymentState, sender: MailSender, language: Language) -> str:
    _ = language.gettext
    values = {"sender": isolate(sender.profile.name)}
    if state is PaymentState.OVERDUE:
        return (
            _("This invoice of %(sender)s is overdue. If you have paid in the meantime, thank you.") % values
        )
    if _is_payable(state):
        return _("%(sender)s has sent you an invoice.") % values
    return _("%(sender)s has sent you an invoice. You do not need to pay anything.") % values


def _format_day(day: dt.date | None, language: Language) -> str:
    return "" if day is None else language.format_date(day, "long")


def _format_moment(moment: dt.datetime, sender: MailSender, language: Language) -> str:
    return language.format_date(moment.astimezone(find_zone(sender.profile.time_zone)).date(), "long")
