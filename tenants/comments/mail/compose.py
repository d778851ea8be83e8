"""Composes the mail about new comments."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernel.clock import find_zone
from kernel.language import Language
from kernel.mail import MailTemplates, OutgoingMail, build_message_id
from kernel.text import isolate
from tenants.comments.body import Link, Text, split_links
from tenants.comments.recipients import MailRecipient
from tenants.comments.values import Comment, Side
from tenants.invoices.values import InvoiceSummary
from tenants.workspaces.mail_sender import MailSender

TEMPLATES: Final = MailTemplates(Path(__file__).parent)
_PREVIEW_LENGTH: Final = 120


@dataclass(frozen=True, slots=True)
class Quote:
    """A comment in a mail."""

    author: str
    written: str
    parts: tuple[Text | Link, ...]
    lines: tuple[str, ...]
    preview: str


def compose_comments_mail(
    comments: Sequence[Comment],
    invoice: InvoiceSummary,
    recipient: MailRecipient,
    sender: MailSender,
    *,
    url: str,
    mute_url: str,
    message_id: str,
) -> OutgoingMail:
    """Return the mail that quotes new comments to one recipient of the other side. Takes some milliseconds.

    `url` opens the thread, if the recipient has a way to it.
    """
    language = TEMPLATES.load_language(recipient.locale)
    _ = language.gettext
    number = invoice.number or ""
    title = language.ngettext(
        "New message about invoice %(number)s",
        "%(count)s new messages about invoice %(number)s",
        len(comments),
    ) % {"number": number, "count": len(comments)}
    body = TEMPLATES.render(
        "comments",
        language,
        sender.brand,
        {
            "title": title,
            "number": number,
            "introduction": _introduce(comments, invoice, recipient, sender, language),
            "quotes": [_build_quote(comment, sender, language) for comment in comments],
            "url": url,
            "hint": _hint(number, recipient, sender, language),
            "mute_url": mute_url,
        },
    )
    return OutgoingMail(
        purpose="comments",
        message_id=message_id,
        to=recipient.email,
        to_name=recipient.name,
        sender_name=sender.profile.name if recipient.side is Side.CUSTOMER else invoice.customer_name,
        subject=_write_subject(number, invoice, recipient, sender, language),
        html=body.html,
        text=body.text,
        thread_id=build_message_id("invoice", invoice.invoice_id, sender.host),
        unsubscribe_url=mute_url,
        reply_to=sender.email if recipient.side is Side.CUSTOMER else "",
    )


def _introduce(
    comments: Sequence[Comment],
    invoice: InvoiceSummary,
    recipient: MailRecipient,
    sender: MailSender,
    language: Language,
) -> str:
    _ = language.gettext
    if recipient.side is Side.STAFF:
        return _("%(customer)s has written to you.") % {"customer": isolate(invoice.customer_name)}
    authors = {comment.author_name for comment in comments}
    if len(authors) > 1:
        return _("%(sender)s has written to you.") % {"sender": isolate(sender.profile.name)}
    return _("%(author)s (%(sender)s) has written to you.") % {
        "author": isolate(authors.pop()),
        "sender": isolate(sender.profile.name),
    }


def _hint(number: str, recipient: MailRecipient, sender: MailSender, language: Language) -> str:
    _ = language.gettext
    if recipient.side is Side.STAFF:
        # The number may come from another system, and the command is copied into a shell.
        command = (
            f"portal thread reply {shlex.quote(number)} - --workspace {sender.profile.slug} --staff NAME"
        )
        return _("To answer, run: %(command)s") % {"command": command}
    return _("To answer, open the page of the invoice by the link that you have.")


def _write_subject(
    number: str, invoice: InvoiceSummary, recipient: MailRecipient, sender: MailSender, language: Language
) -> str:
    """Return the same subject for all mails of a thread: mail programs show them together only then."""
    _ = language.gettext
    if recipient.side is Side.STAFF:
        values = {"number": number, "customer": invoice.customer_name}
        return _("Invoice %(number)s: messages from %(customer)s") % values
    # That of the mail with the invoice.
    subject = _("Invoice %(number)s from %(sender)s") % {"number": number, "sender": sender.profile.name}
    return f"Re: {subject}"


def _build_quote(comment: Comment, sender: MailSender, language: Language) -> Quote:
    zone = find_zone(sender.profile.time_zone)
    return Quote(
        author=comment.author_name,
        written=language.format_datetime(comment.created_at, zone),
        parts=split_links(comment.body),
        lines=tuple(comment.body.split("\n")),
        preview=" ".join(comment.body.split())[:_PREVIEW_LENGTH],
    )
