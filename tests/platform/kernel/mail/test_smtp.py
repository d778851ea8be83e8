"""Mails over real SMTP: what the server takes, what it refuses, and what is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from kernel.clock import FixedClock
from kernel.mail import Mailer, MailFailure, OutgoingMail, SmtpServer
from kernel.mail.smtp import StartTls
from kernel.telemetry.metrics import Metrics
from ops.ports import find_free_port
from ops.sandbox.mailbox import Mailbox

NOW = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)
MAIL = OutgoingMail(
    purpose="invoice",
    message_id="job.1@acme.portal.example",
    to="ana@buyer.example",
    to_name="Ana Müller",
    subject="Rechnung 7 – für Sie",
    html="<p>日本</p>",
    text=".\n..\nFrom here\n日本\n",
    sender_name="Größe & Co.",
)


def create_mailer(url: str | None, metrics: Metrics | None = None, *, step_timeout_s: float = 10.0) -> Mailer:
    """Return a mailer to a server."""
    return Mailer(
        None if url is None else SmtpServer.from_url(url),
        "no-reply@portal.example",
        clock=FixedClock(NOW),
        metrics=metrics or Metrics(),
        step_timeout_s=step_timeout_s,
    )


def count(metrics: Metrics, outcome: str) -> float:
    labels = {"purpose": "invoice", "outcome": outcome}
    return metrics.registry.get_sample_value("portal_mails_total", labels) or 0


async def test_a_mail_arrives_as_it_was_written(mailbox: Mailbox) -> None:
    metrics = Metrics()
    await create_mailer(mailbox.url, metrics).send(MAIL)
    (got,) = mailbox.mails
    assert (got.sender, got.recipients) == ("no-reply@portal.example", ("ana@buyer.example",))
    assert got.subject == "Rechnung 7 – für Sie"
    assert (got.text, got.html.strip()) == (MAIL.text, MAIL.html)
    assert str(got.message["From"]) == '"Größe & Co." <no-reply@portal.example>'
    assert count(metrics, "sent") == 1


@pytest.mark.parametrize(
    ("answer", "is_permanent"),
    [("550 5.1.1 No such user", True), ("450 4.2.1 Mailbox busy", False), ("452 4.3.1 Full", False)],
)
async def test_a_refused_recipient_is_told_in_the_words_of_the_server(
    mailbox: Mailbox, answer: str, *, is_permanent: bool
) -> None:
    mailbox.refusals[MAIL.to] = answer
    metrics = Metrics()
    mailer = create_mailer(mailbox.url, metrics)
    with pytest.raises(MailFailure) as caught:
        await mailer.send(MAIL)
    assert (caught.value.is_permanent, caught.value.reason) == (is_permanent, answer)
    assert count(metrics, "refused" if is_permanent else "failed") == 1
    await mailer.send(replace(MAIL, to="ben@buyer.example"))
    assert [mail.recipients for mail in mailbox.mails] == [("ben@buyer.example",)]


@pytest.mark.parametrize(("answer", "is_permanent"), [("554 5.7.1 Spam", True), ("451 4.3.0 Later", False)])
async def test_a_refused_content_is_told_in_the_words_of_the_server(
    mailbox: Mailbox, answer: str, *, is_permanent: bool
) -> None:
    mailbox.data_answer = answer
    with pytest.raises(MailFailure) as caught:
        await create_mailer(mailbox.url).send(MAIL)
    assert (caught.value.is_permanent, caught.value.reason) == (is_permanent, answer)


async def test_a_server_that_is_down_slow_or_hangs_up_is_tried_again_later(mailbox: Mailbox) -> None:
    for url, delay_s, drops in (
        (f"smtp://127.0.0.1:{find_free_port()}", 0.0, False),
        (mailbox.url, 30.0, False),
        (mailbox.url, 0.0, True),
    ):
        mailbox.delay_s, mailbox.drops_connections = delay_s, drops
        with pytest.raises(MailFailure) as caught:
            await create_mailer(url, step_timeout_s=0.3).send(MAIL)
        assert not caught.value.is_permanent
    assert not mailbox.mails


async def test_without_a_server_mails_wait() -> None:
    with pytest.raises(MailFailure, match="PORTAL_SMTP_URL is not set") as caught:
        await create_mailer(None).send(MAIL)
    assert not caught.value.is_permanent


async def test_a_mail_is_not_sent_without_tls_where_it_is_required(mailbox: Mailbox) -> None:
    with pytest.raises(MailFailure) as caught:
        await create_mailer(mailbox.url.replace("never", "required")).send(MAIL)
    assert not caught.value.is_permanent
    assert not mailbox.mails


async def test_an_address_that_no_server_takes_is_never_tried(mailbox: Mailbox) -> None:
    with pytest.raises(MailFailure) as caught:
        await create_mailer(mailbox.url).send(replace(MAIL, to="jürgen@buyer.example"))
    assert caught.value.is_permanent
    assert mailbox.connections == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", SmtpServer("mail.example.com", 587, False, StartTls.REQUIRED)),
        ("smtp://localhost:25", SmtpServer("localhost", 25, False, StartTls.OPTIONAL)),
        ("smtp://10.0.0.1:25?starttls=never", SmtpServer("10.0.0.1", 25, False, StartTls.NEVER)),
        (
            "smtps://us%40er:p%2Fw@mail.example.com",
            SmtpServer("mail.example.com", 465, True, StartTls.REQUIRED, "us@er", "p/w"),
        ),
    ],
)
def test_the_setting_says_how_the_server_is_reached(url: str, expected: SmtpServer) -> None:
    assert SmtpServer.from_url(url) == expected
    assert "p/w" not in repr(SmtpServer.from_url(url))
