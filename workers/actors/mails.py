"""Sends mails: each job reads what it needs, composes in a thread and hands the mail to the server.

The server may get a mail twice, if a worker is killed after it was accepted: both have the same message id.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kernel.errors import Unavailable
from kernel.mail import MailFailure, build_message_id
from kernel.telemetry.logs import get_logger
from tenants.access.actions import make_code
from tenants.access.mail import compose_code_mail
from tenants.comments.actions import notify_side
from tenants.comments.mail import compose_comments_mail
from tenants.comments.mute import MutedThread, make_mute_token
from tenants.comments.recipients import list_recipients, load_mailed_comments
from tenants.comments.values import Side
from tenants.ids import CodeId, CommentId, InvoiceId, LinkId
from tenants.invoices import actions as invoice_actions
from tenants.invoices.mail import compose_fresh_links_mail, compose_invoice_mail
from tenants.invoices.mailed_links import find_open_token, load_mailed_links
from tenants.invoices.queries import load_invoice
from tenants.workspaces import queries as workspaces
from workers.actors.attempt import PermanentFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from kernel.mail import Mailer, OutgoingMail
    from kernel.seals import Sealer
    from tenants.access.jobs import SendCode
    from tenants.comments.jobs import NotifyThread, SendComments
    from tenants.comments.recipients import MailRecipient
    from tenants.invoices.jobs import IssueFreshLinks, SendFreshLinks, SendInvoice
    from tenants.invoices.values import MailedLink
    from tenants.workspaces.mail_sender import BuildUrl, MailSender
    from workers.actors.attempt import Attempt

_log: Final = get_logger("workers.mails")


@dataclass(frozen=True, slots=True)
class MailContext:
    """What all of these jobs need; `build_url(host, path)` returns the absolute URL of a page."""

    mailer: Mailer
    sealer: Sealer
    build_url: BuildUrl


class MailJobs:
    """The functions of the jobs that send mails; without a context each attempt fails."""

    def __init__(self, context: MailContext | None) -> None:
        self._optional_context = context

    @property
    def _context(self) -> MailContext:
        if self._optional_context is None:
            raise Unavailable("mail.unavailable", "This worker sends no mails.")
        return self._optional_context

    async def send_invoice(self, job: SendInvoice, attempt: Attempt) -> None:
        """Send an invoice with its link, unless the link has ended."""
        sender, links = await self._load_links((LinkId(job.link_id),), attempt)
        if not links:
            _log.info("mail not sent: link has ended", link=str(job.link_id))
            return
        message_id = build_message_id("job", attempt.job_id, sender.host)
        await self._send(
            lambda: compose_invoice_mail(links[0], sender, message_id=message_id, clock=attempt.clock)
        )

    async def issue_fresh_links(self, job: IssueFreshLinks, attempt: Attempt) -> None:
        """Issue links for the address of a request; the mail is a job of its own, so that links are issued once."""
        async with attempt.effect():
            count = await invoice_actions.issue_fresh_links(
                job.request_id, sealer=self._context.sealer, clock=attempt.clock
            )
        _log.info("fresh links issued", links=count)

    async def send_fresh_links(self, job: SendFreshLinks, attempt: Attempt) -> None:
        """Send links, except those that have ended."""
        sender, links = await self._load_links(tuple(LinkId(each) for each in job.link_ids), attempt)
        if not links:
            _log.info("mail not sent: links have ended")
            return
        message_id = build_message_id("job", attempt.job_id, sender.host)
        await self._send(
            lambda: compose_fresh_links_mail(links, sender, message_id=message_id, clock=attempt.clock)
        )

    async def send_code(self, job: SendCode, attempt: Attempt) -> None:
        """Make a code and send it, if the address gets one; each attempt sends another code."""
        async with attempt.write():
            code = await make_code(CodeId(job.code_id), self._context.sealer)
        if code is None:
            _log.info("no code sent", code_id=str(job.code_id))
            return
        async with attempt.scope():
            sender = await workspaces.load_mail_sender(self._context.build_url)
        # Mail programs hide a second mail with the same message id, and this one is another mail.
        message_id = build_message_id(f"job-{attempt.number}", attempt.job_id, sender.host)
        await self._send(lambda: compose_code_mail(code, sender, message_id=message_id, clock=attempt.clock))

    async def notify_thread(self, job: NotifyThread, attempt: Attempt) -> None:
        """Enqueue the mails about the new comments of a thread."""
        # Not with the completion of the job: who posts locks the thread first and then this job.
        async with attempt.write():
            count = await notify_side(
                InvoiceId(job.invoice_id), job.side, sealer=self._context.sealer, clock=attempt.clock
            )
        _log.info("thread notified", invoice=str(job.invoice_id), side=job.side.value, mails=count)

    async def send_comments(self, job: SendComments, attempt: Attempt) -> None:
        """Send one recipient the mail about new comments, unless there is nothing left to send."""
        invoice_id, sealer = InvoiceId(job.invoice_id), self._context.sealer
        async with attempt.scope():
            recipients = await list_recipients(invoice_id, job.side, job.email)
            comments = await load_mailed_comments(invoice_id, [CommentId(each) for each in job.comment_ids])
            if not recipients or not comments:
                _log.info("mail not sent: muted, or no comment left", invoice=str(invoice_id))
                return
            invoice = await load_invoice(invoice_id)
            sender = await workspaces.load_mail_sender(self._context.build_url)
            path = await self._find_thread(recipients[0], invoice_id)
        token = make_mute_token(sealer, attempt.workspace_id, MutedThread(invoice_id, job.email))
        message_id = build_message_id("job", attempt.job_id, sender.host)
        await self._send(
            lambda: compose_comments_mail(
                comments,
                invoice,
                recipients[0],
                sender,
                url=sender.url(path) if path else "",
                mute_url=sender.url(f"/mute/{token}"),
                message_id=message_id,
            )
        )

    async def _find_thread(self, recipient: MailRecipient, invoice_id: InvoiceId) -> str:
        """Return the path by which a recipient opens the thread; "" without one that a mail may hold."""
        if recipient.side is Side.STAFF or not recipient.may_receive_link:
            return ""
        token = ""
        if recipient.link_id is not None:
            token = await find_open_token(recipient.link_id, sealer=self._context.sealer)
        if not token and recipient.contact_id is not None:
            # Opens after signing in.
            token = str(invoice_id)
        return f"/i/{token}#thread" if token else ""

    async def _load_links(
        self, link_ids: tuple[LinkId, ...], attempt: Attempt
    ) -> tuple[MailSender, tuple[MailedLink, ...]]:
        async with attempt.scope():
            sender = await workspaces.load_mail_sender(self._context.build_url)
            return sender, await load_mailed_links(link_ids, sealer=self._context.sealer)

    async def _send(self, compose: Callable[[], OutgoingMail]) -> None:
        mail = await asyncio.to_thread(compose)
        try:
            await self._context.mailer.send(mail)
        except MailFailure as error:
            if error.is_permanent:
                raise PermanentFailure(error.reason) from error
            raise
        _log.info("mail sent", purpose=mail.purpose, message_id=mail.message_id)
