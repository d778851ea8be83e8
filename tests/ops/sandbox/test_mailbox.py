"""The mailbox shows what was sent, and lets nothing in a mail act."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from kernel.clock import FixedClock
from kernel.mail import Mailer, OutgoingMail, SmtpServer
from kernel.telemetry.metrics import Metrics
from ops.sandbox.mailbox import Mailbox
from ops.sandbox.mailbox_page import MailboxPage

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def page(mailbox: Mailbox) -> AsyncIterator[httpx.AsyncClient]:
    """The page of a mailbox with two mails, the second hostile."""
    clock = FixedClock(datetime(2026, 3, 16, 9, 30, tzinfo=UTC))
    mailer = Mailer(
        SmtpServer.from_url(mailbox.url), "no-reply@portal.example", clock=clock, metrics=Metrics()
    )
    for to, words in (("ana@buyer.example", "Hello – 日本"), ("ben@buyer.example", HOSTILE)):
        await mailer.send(
            OutgoingMail(
                purpose="invoice",
                message_id=f"{to[:3]}@portal.example",
                to=to,
                subject=words,
                html=f"<p>{words}</p>",
                text=words,
            )
        )
    shown = MailboxPage(mailbox)
    async with httpx.AsyncClient(base_url=shown.url.replace("localhost", "127.0.0.1")) as client:
        yield client
    shown.stop()


async def test_programs_read_mails_as_json_the_newest_first(page: httpx.AsyncClient) -> None:
    newest, oldest = (await page.get("/messages")).json()
    assert newest["recipients"] == ["ben@buyer.example"]
    assert (oldest["subject"], oldest["text"], oldest["html"]) == (
        "Hello – 日本",
        "Hello – 日本",
        "<p>Hello – 日本</p>",
    )
    assert oldest["headers"]["Message-ID"] == "<ana@portal.example>"
    assert (await page.get("/messages", params={"to": "ana@buyer.example"})).json() == [oldest]


async def test_people_read_mails_in_a_sandbox(page: httpx.AsyncClient) -> None:
    listed, shown = await page.get("/"), await page.get("/messages/2")
    assert "/messages/1" in listed.text
    assert HOSTILE not in listed.text + shown.text
    assert '<iframe sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown.text
    mail = await page.get("/messages/2/html")
    assert HOSTILE in mail.text
    policy = mail.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    raw = await page.get("/messages/2/raw")
    assert raw.headers["content-type"].startswith("text/plain")
    assert "Message-ID: <ben@portal.example>" in raw.text


@pytest.mark.parametrize("path", ["/messages/3", "/messages/x", "/messages/1/other", "/other"])
async def test_what_is_not_there_is_not_found(page: httpx.AsyncClient, path: str) -> None:
    assert (await page.get(path)).status_code == 404
