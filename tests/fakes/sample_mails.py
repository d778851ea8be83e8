"""One mail of each kind, from values alone, in any language and with any text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from kernel.clock import FixedClock
from kernel.ids import WorkspaceId
from kernel.mail import OutgoingMail
from kernel.money import Money, find_currency
from tenants.access.mail import compose_code_mail
from tenants.access.values import CodePurpose, MadeCode
from tenants.comments.mail import compose_comments_mail
from tenants.comments.recipients import MailRecipient
from tenants.comments.values import Comment, Side
from tenants.ids import CodeId, CommentId, ContactId, CustomerId, InvoiceId, LinkId
from tenants.invoices.mail import compose_fresh_links_mail, compose_invoice_mail
from tenants.invoices.status import InvoiceStatus
from tenants.invoices.values import InvoiceSummary, MailedLink
from tenants.workspaces.mail_sender import MailSender, build_mail_sender
from tenants.workspaces.profile import LogoRef, WorkspaceProfile

NOW = dt.datetime(2026, 3, 16, 9, 30, tzinfo=dt.UTC)
INVOICE_ID = InvoiceId(UUID(int=7))
HOST = "acme.portal.example"
TOKEN = "4fZq0mT8xLr2Vb6NcYw1Kd93"
NAMES = ("invoice", "fresh_links", "code", "comments", "staff_comments")


def build_sender(
    *, name: str = "Acme Studio", logo: LogoRef | None = None, colour: str = "#2f5bd7", contact: str = ""
) -> MailSender:
    """Return the sender of a workspace."""
    profile = WorkspaceProfile(
        workspace_id=WorkspaceId(UUID(int=1)),
        slug="acme",
        name=name,
        locale="en-US",
        time_zone="Europe/Berlin",
        currency="EUR",
        brand_colour=colour,
        contact_line=contact or "Questions? Write to billing@acme.example or call +49 40 123456.",
        logo=logo,
        payment_days=14,
        link_days=30,
    )
    return build_mail_sender(
        profile,
        host=HOST,
        email="billing@acme.example",
        build_url=lambda host, path: f"https://{host}{path}",
    )


def build_invoice(
    *, number: str = "2026-0042", amount: str = "1428.00", customer: str = "Buyer AG", paid: str = "0"
) -> InvoiceSummary:
    """Return an issued invoice in euros, due on 30 March."""
    euro = find_currency("EUR")
    return InvoiceSummary(
        invoice_id=INVOICE_ID,
        customer_id=CustomerId(UUID(int=3)),
        customer_name=customer,
        number=number,
        status=InvoiceStatus.ISSUED,
        total=Money.from_decimal(Decimal(amount), euro),
        paid=Money.from_decimal(Decimal(paid), euro),
        held=Money.zero(euro),
        processing=Money.zero(euro),
        is_disputed=False,
        issue_date=dt.date(2026, 3, 16),
        due_date=dt.date(2026, 3, 30),
        version=1,
        created_at=NOW,
    )


def build_link(locale: str, *, name: str, email: str, invoice: InvoiceSummary) -> MailedLink:
    """Return an open link."""
    return MailedLink(
        link_id=LinkId(UUID(int=5)),
        token=TOKEN,
        expires_at=NOW + dt.timedelta(days=44),
        invoice=invoice,
        contact_name=name,
        email=email,
        locale=locale,
    )


def build_comment(side: Side, author: str, body: str, *, minute: int = 0) -> Comment:
    """Return a comment."""
    return Comment(
        comment_id=CommentId(UUID(int=100 + minute)),
        side=side,
        is_internal=False,
        author_name=author,
        author_email="" if side is Side.STAFF else "ana@buyer.example",
        proofs=frozenset(),
        body=body,
        created_at=NOW + dt.timedelta(minutes=minute),
        edited_at=None,
        deleted_at=None,
        deleted_by=None,
        staff_seq=minute + 1,
        public_seq=minute + 1,
        browser_hash=None,
    )


def compose_sample(
    purpose: str,
    locale: str = "en-US",
    *,
    sender: MailSender | None = None,
    name: str = "Ana Silva",
    email: str = "ana@buyer.example",
    author: str = "Jo Meyer",
    bodies: tuple[str, ...] = ("Thank you, the dates are right now.",),
    invoice: InvoiceSummary | None = None,
) -> OutgoingMail:
    """Return a mail of one kind, one of NAMES."""
    sender, invoice = sender or build_sender(), invoice or build_invoice()
    link = build_link(locale, name=name, email=email, invoice=invoice)
    message_id = f"job.1@{HOST}"
    clock = FixedClock(NOW)
    if purpose == "invoice":
        return compose_invoice_mail(link, sender, message_id=message_id, clock=clock)
    if purpose == "fresh_links":
        other = build_invoice(number="2026-0039", amount="119.00")
        links = [link, build_link(locale, name=name, email=email, invoice=other)]
        return compose_fresh_links_mail(links, sender, message_id=message_id, clock=clock)
    if purpose == "code":
        code = MadeCode(
            code_id=CodeId(UUID(int=9)),
            purpose=CodePurpose.WRITE,
            target=email,
            code="493021",
            locale=locale,
            expires_at=NOW + dt.timedelta(minutes=10),
        )
        return compose_code_mail(code, sender, message_id=message_id, clock=clock)
    side = Side.STAFF if purpose == "staff_comments" else Side.CUSTOMER
    recipient = MailRecipient(
        side=side,
        email=email,
        name=name,
        locale=locale,
        contact_id=ContactId(UUID(int=4)),
        may_receive_link=True,
    )
    comments = [build_comment(side.other, author, body, minute=at) for at, body in enumerate(bodies)]
    return compose_comments_mail(
        comments,
        invoice,
        recipient,
        sender,
        url="" if side is Side.STAFF else f"https://{HOST}/i/{TOKEN}#thread",
        mute_url=f"https://{HOST}/mute/abc",
        message_id=message_id,
    )


def compose_all(locale: str = "en-US") -> Mapping[str, OutgoingMail]:
    """Return one mail of each kind."""
    return {purpose: compose_sample(purpose, locale) for purpose in NAMES}
