"""Jobs that send mails, over a real mail server: what arrives, what is tried again, what ends dead and why."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.mail import Mailer, SmtpServer
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, execute, fetch
from kernel.telemetry.metrics import Metrics
from ops.ports import find_free_port
from ops.sandbox.mailbox import Mailbox, ReceivedMail
from tenants.access.actions import request_code
from tenants.access.values import CodePurpose, Proof
from tenants.comments import actions as comments
from tenants.comments.mute import read_mute_token
from tenants.comments.values import Author, Side
from tenants.customers.actions import add_contact
from tenants.ids import ContactId, CustomerId, InvoiceId
from tenants.invoices import actions as invoices
from tenants.invoices.portal_access import open_link
from tenants.workspaces.actions import set_contact_email
from tests.fakes.sample_threads import ANA, JO, write, write_note
from tests.fakes.sample_workspaces import SampleWorkspace, create_sample_workspace
from workers.actors.mails import MailContext
from workers.runner import Runner
from workers.worker import create_handlers

ADDRESS = "ana@buyer.example"
CLOCK = SystemClock()


@dataclass(slots=True)
class PostOffice:
    """A workspace with one contact and one invoice, and a runner of its jobs."""

    acme: SampleWorkspace
    mailbox: Mailbox
    settings: Settings
    customer_id: CustomerId
    contact_id: ContactId
    invoice_id: InvoiceId
    metrics: Metrics = field(default_factory=Metrics)
    smtp_url: str = ""
    step_timeout_s: float = 30.0

    async def do(self, action: Callable[..., Awaitable[Any]], *arguments: Any, **options: Any) -> Any:
        """Run an action in a unit of work of its own."""
        async with self.acme.database.scope(self.acme.workspace_id):
            return await action(*arguments, **options)

    async def send_invoice(self) -> Any:
        """Send the invoice to the contact."""
        return await self.do(
            invoices.send_invoice, self.invoice_id, self.contact_id, sealer=self.acme.sealer, clock=CLOCK
        )

    async def run_jobs(self) -> list[tuple[str, str, str]]:
        """Run the mail jobs that are queued, and those they add, each once; returns kind, state and error of each."""
        server = SmtpServer.from_url(self.smtp_url or self.mailbox.url)
        mailer = Mailer(
            server,
            "no-reply@portal.example",
            clock=CLOCK,
            metrics=self.metrics,
            step_timeout_s=self.step_timeout_s,
        )
        context = MailContext(mailer, self.acme.sealer, self.settings.build_public_url)
        runner = Runner(
            self.acme.database,
            create_handlers(mail_context=context),
            lease=timedelta(seconds=30),
            metrics=self.metrics,
            clock=CLOCK,
        )
        seen: set[Any] = set()
        while rows := [row for row in await self._load_jobs() if row["job_id"] not in seen]:
            for row in rows:
                seen.add(row["job_id"])
                if row["state"] == "queued":
                    await runner.run(self.acme.workspace_id, row["job_id"])
        return [(row["kind"], row["state"], row["error"]) for row in await self._load_jobs()]

    async def _load_jobs(self) -> list[Any]:
        async with self.acme.database.scope(self.acme.workspace_id):
            await execute("UPDATE job SET run_at = now() WHERE queue = 'mail' AND state = 'queued'")
            return await fetch(
                "SELECT job_id, kind, state, error FROM job WHERE queue = 'mail' ORDER BY created_at, job_id"
            )

    def find(self, recipient: str = ADDRESS) -> list[ReceivedMail]:
        """Return the mails to an address."""
        return self.mailbox.find(recipient)

    async def opens(self, mail: ReceivedMail) -> list[InvoiceId]:
        """Return the invoices that the links of a mail open."""
        tokens = re.findall(r"/i/([0-9A-Za-z]{24})", mail.text)
        return [
            (
                await open_link(self.acme.database, self.acme.workspace_id, token, sealer=self.acme.sealer)
            ).invoice.invoice_id
            for token in tokens
        ]


@pytest.fixture
async def office(database: Database, settings: Settings, mailbox: Mailbox) -> PostOffice:
    """A workspace whose mails go to the mailbox."""
    acme = await create_sample_workspace(database, Sealer(settings.secret_keys), CLOCK)
    customer_id = await acme.create_customer(locale="en-US")
    async with database.scope(acme.workspace_id):
        ana = await add_contact(customer_id, email=ADDRESS, name="Ana Silva", clock=CLOCK)
    invoice_id = await acme.issue_invoice(customer_id)
    return PostOffice(acme, mailbox, settings, customer_id, ana.contact_id, invoice_id)


async def test_an_invoice_is_sent_with_a_link_of_its_own(office: PostOffice) -> None:
    await office.send_invoice()
    assert await office.run_jobs() == [("invoices.send_invoice", "done", "")]
    (mail,) = office.find()
    assert mail.subject == "Invoice INV-00001 from Test & Co."
    assert await office.opens(mail) == [office.invoice_id]
    assert str(mail.message["To"]) == "Ana Silva <ana@buyer.example>"


async def test_a_link_that_was_revoked_meanwhile_is_not_sent(office: PostOffice) -> None:
    link_id = await office.send_invoice()
    await office.do(invoices.revoke_link, link_id, clock=CLOCK)
    assert await office.run_jobs() == [("invoices.send_invoice", "done", "")]
    assert office.find() == []


async def test_a_server_that_is_down_gets_the_mail_later(office: PostOffice) -> None:
    await office.send_invoice()
    office.smtp_url = f"smtp://127.0.0.1:{find_free_port()}"
    ((_, state, error),) = await office.run_jobs()
    assert state == "queued"
    assert "Connect call failed" in error
    office.smtp_url = ""
    assert await office.run_jobs() == [("invoices.send_invoice", "done", "")]
    assert len(office.find()) == 1


async def test_a_mail_that_was_taken_without_an_answer_is_sent_again_under_the_same_id(
    office: PostOffice,
) -> None:
    await office.send_invoice()
    office.mailbox.answer_delay_s, office.step_timeout_s = 20.0, 0.5
    ((_, state, error),) = await office.run_jobs()
    assert (state, "Timed out" in error) == ("queued", True)
    office.mailbox.answer_delay_s, office.step_timeout_s = 0.0, 30.0
    await office.run_jobs()
    first, second = office.find()
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.text == second.text


async def test_a_refused_recipient_ends_the_job_with_the_words_of_the_server(office: PostOffice) -> None:
    await office.send_invoice()
    office.mailbox.refusals[ADDRESS] = "550 5.1.1 No such user"
    ((_, state, error),) = await office.run_jobs()
    assert (state, error) == ("dead", "PermanentFailure: 550 5.1.1 No such user")


async def test_fresh_links_open_the_invoices_of_the_address(office: PostOffice) -> None:
    other_id = await office.acme.issue_invoice(office.customer_id)
    hers_alone = await office.acme.issue_invoice()
    await office.do(invoices.request_fresh_links, "ANA@buyer.example")
    await office.run_jobs()
    (mail,) = office.find()
    assert mail.subject == "Your fresh links to invoices of Test & Co."
    assert await office.opens(mail) == [other_id, office.invoice_id]
    assert hers_alone not in await office.opens(mail)


async def test_an_unknown_address_gets_no_links_and_leaves_the_same_rows(office: PostOffice) -> None:
    await office.do(invoices.request_fresh_links, "eve@elsewhere.example")
    assert await office.run_jobs() == [("invoices.issue_fresh_links", "done", "")]
    assert not office.mailbox.mails


async def test_a_code_is_sent_and_each_attempt_sends_another(office: PostOffice) -> None:
    await office.do(request_code, CodePurpose.SIGN_IN, ADDRESS, browser_hash=b"b" * 32, contacts_only=True)
    office.mailbox.data_answer = "451 4.3.0 Later"
    ((_, state, error),) = await office.run_jobs()
    assert (state, "451 4.3.0 Later" in error) == ("queued", True)
    office.mailbox.data_answer = ""
    await office.run_jobs()
    (mail,) = office.find()
    assert re.fullmatch(r"\d{6} is your code for Test & Co\.", mail.subject)
    assert mail.subject[:6] in mail.text
    assert str(mail.message["Message-ID"]).startswith("<job-2.")


async def test_an_address_of_no_contact_gets_no_code(office: PostOffice) -> None:
    await office.do(
        request_code,
        CodePurpose.SIGN_IN,
        "eve@elsewhere.example",
        browser_hash=b"b" * 32,
        contacts_only=True,
    )
    assert await office.run_jobs() == [("access.send_code", "done", "")]
    assert not office.mailbox.mails


async def test_comments_of_two_minutes_share_one_mail_in_the_thread_of_the_invoice(
    office: PostOffice,
) -> None:
    await office.send_invoice()
    await office.run_jobs()
    for body in ("The dates are right now.", "And the total too."):
        await write(office.acme, office.invoice_id, JO, body)
    await write_note(office.acme, office.invoice_id, "A secret note")
    await office.run_jobs()
    sent, mail = office.find()
    assert mail.subject == f"Re: {sent.subject}"
    assert mail.message["References"] == sent.message["References"] == mail.message["In-Reply-To"]
    assert "> The dates are right now.\n" in mail.text
    assert "> And the total too.\n" in mail.text
    assert await office.opens(mail) == [office.invoice_id]
    assert "secret" not in mail.raw.decode().lower()
    await write(office.acme, office.invoice_id, JO, "Once more.")
    await office.run_jobs()
    assert "right now" not in office.find()[-1].text
    assert len(office.find()) == 3


async def test_the_staff_is_told_at_the_address_of_the_workspace(office: PostOffice) -> None:
    await office.do(set_contact_email, "billing@acme.example")
    await write(office.acme, office.invoice_id, ANA, "Is the date right?")
    await office.run_jobs()
    (mail,) = office.find("billing@acme.example")
    assert mail.subject == "Rechnung INV-00001: Nachrichten von Buyer AG"
    assert "> Is the date right?\n" in mail.text
    assert office.find() == []


async def test_a_mute_link_ends_the_mails_of_one_address_alone(office: PostOffice) -> None:
    await office.send_invoice()
    async with office.acme.database.scope(office.acme.workspace_id):
        ben = await add_contact(office.customer_id, email="ben@buyer.example", clock=CLOCK)
        await invoices.send_invoice(office.invoice_id, ben.contact_id, sealer=office.acme.sealer, clock=CLOCK)
    await write(office.acme, office.invoice_id, JO, "Hello")
    await office.run_jobs()
    mail = office.find()[-1]
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    token = re.findall(r"/mute/([\w-]+)>", str(mail.message["List-Unsubscribe"]))[0]
    muted = read_mute_token(office.acme.sealer, office.acme.workspace_id, token)
    await office.do(comments.mute_thread, muted.invoice_id, muted.email)
    await write(office.acme, office.invoice_id, JO, "Hello again")
    await office.run_jobs()
    assert (len(office.find()), len(office.find("ben@buyer.example"))) == (2, 3)


async def test_one_refused_recipient_delays_no_other(office: PostOffice) -> None:
    await office.send_invoice()
    async with office.acme.database.scope(office.acme.workspace_id):
        ben = await add_contact(office.customer_id, email="ben@buyer.example", clock=CLOCK)
        await invoices.issue_link(
            office.invoice_id, contact_id=ben.contact_id, sealer=office.acme.sealer, clock=CLOCK
        )
    await office.run_jobs()
    office.mailbox.refusals[ADDRESS] = "550 5.1.1 No such user"
    await write(office.acme, office.invoice_id, JO, "Hello")
    states = sorted(state for kind, state, _ in await office.run_jobs() if kind == "comments.send_comments")
    assert states == ["dead", "done"]
    assert len(office.find("ben@buyer.example")) == 1


async def test_only_who_can_still_read_the_thread_is_told(office: PostOffice) -> None:
    link_id = await office.send_invoice()
    await office.run_jobs()
    typed = Author(
        Side.CUSTOMER, "Eve", "eve@elsewhere.example", frozenset({Proof.LINK}), b"e" * 32, link_id=link_id
    )
    for author in (typed, ANA):
        await write(office.acme, office.invoice_id, author, "Hello")
    await write(office.acme, office.invoice_id, JO, "Hello, Eve")
    await office.run_jobs()
    (mail,) = office.find("eve@elsewhere.example")
    # Nobody has proven that this address is hers: the mail opens nothing.
    assert await office.opens(mail) == []
    await office.do(invoices.revoke_link, link_id, clock=CLOCK)
    await write(office.acme, office.invoice_id, JO, "Are you there?")
    await office.run_jobs()
    assert len(office.find("eve@elsewhere.example")) == 1
    # A contact can sign in without the link.
    assert f"/i/{office.invoice_id}#thread" in office.find()[-1].text


async def test_a_comment_that_was_deleted_meanwhile_is_in_no_mail(office: PostOffice) -> None:
    await office.send_invoice()
    comment = await write(office.acme, office.invoice_id, JO, "A mistake")
    await office.do(comments.delete_comment, office.invoice_id, comment.comment_id, JO, CLOCK)
    await office.run_jobs()
    assert [mail.subject for mail in office.find()] == ["Invoice INV-00001 from Test & Co."]


async def test_a_comment_is_stored_while_mail_is_down_and_told_of_later(office: PostOffice) -> None:
    await office.do(set_contact_email, "billing@acme.example")
    office.smtp_url = f"smtp://127.0.0.1:{find_free_port()}"
    await write(office.acme, office.invoice_id, ANA, "Is anybody there?")
    await office.run_jobs()
    office.smtp_url = ""
    await office.run_jobs()
    assert "> Is anybody there?\n" in office.find("billing@acme.example")[0].text
