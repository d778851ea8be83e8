"""Fresh links by mail, asked for on Invoice Not Found: one answer for everybody."""

from __future__ import annotations

import json
from typing import Any

from kernel.store import fetch
from tenants.invoices.actions import issue_fresh_links
from tenants.invoices.jobs import IssueFreshLinks
from tests.web.conftest import CLOCK

ANA = "ana@kunde.example"
FORM = "application/x-www-form-urlencoded"


async def ask(visitor: Any, tenant: Any, email: str, **headers: str) -> Any:
    said = {"origin": f"http://{tenant.host}"} | headers
    content = f"email={email.replace('@', '%40').replace('+', '%2B')}".encode()
    return await visitor.ask("/links", tenant.host, method="POST", content=content, content_type=FORM, **said)


async def run_requests(tenants: Any, tenant: Any) -> list[int]:
    """Do what the worker does with the requests; return how many links each one brings."""
    async with tenants.database.scope(tenant.profile.workspace_id):
        jobs = await fetch(
            "SELECT payload FROM job WHERE kind = $1 ORDER BY created_at", IssueFreshLinks.kind
        )
        return [
            await issue_fresh_links(
                json.loads(job["payload"])["request_id"], sealer=tenants.sealer, clock=CLOCK
            )
            for job in jobs
        ]


async def test_the_page_of_a_miss_asks_for_links_without_a_cookie(
    browser: Any, people: Any, acme: Any, tenants: Any
) -> None:
    await people.add(acme, ANA)
    miss = await browser.open("/i/nothing")
    assert (miss.status_code, browser.cookies) == (404, {})
    assert browser.read_hidden_fields("/links") == {}
    page = await browser.send("/links", email=ANA)
    assert page.status_code == 200
    assert f"If invoices were sent to {ANA}, an e-mail with fresh links" in page.text
    assert browser.cookies == {}
    assert await run_requests(tenants, acme) == [1]


async def test_the_answer_is_the_same_for_known_and_unknown_addresses(
    portal: Any, people: Any, acme: Any, tenants: Any
) -> None:
    unknown = "eve@fremd.example"
    await people.add(acme, ANA)
    answers = []
    for email in (ANA, unknown):
        for _ in range(2):
            answer = await ask(portal.visitor(), acme, email)
            headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
            answers.append((answer.status_code, answer.text.replace(email, "<address>"), headers))
    assert answers[:2] == answers[2:]
    assert [status for status, _, _ in answers] == [200, 429, 200, 429]
    assert sorted(await run_requests(tenants, acme)) == [0, 1]


async def test_no_workspace_can_be_told_from_the_answer(portal: Any, acme: Any, tenants: Any) -> None:
    bolt = await tenants.make(name="Bolt Ltd", locale="de-DE")
    here, there = [(await ask(portal.visitor(), tenant, ANA)).text for tenant in (acme, bolt)]
    assert here == there
    assert "Acme" not in here


async def test_what_is_no_address_is_said_at_the_field_and_kept(portal: Any, acme: Any) -> None:
    answer = await ask(portal.visitor(), acme, 'a"<b>')
    assert answer.status_code == 400
    assert 'value="a&#34;&lt;b&gt;"' in answer.text
    assert 'aria-describedby="email-error"' in answer.text


async def test_another_site_cannot_have_mails_sent(portal: Any, acme: Any, tenants: Any) -> None:
    for headers in ({"origin": "https://evil.example"}, {"sec_fetch_site": "cross-site"}):
        assert (await ask(portal.visitor(), acme, ANA, **headers)).status_code == 403
    assert await run_requests(tenants, acme) == []
