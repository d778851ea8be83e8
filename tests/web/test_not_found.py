"""Invoice Not Found: one page, one status, the same bytes, whatever the reason."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.clock import SystemClock
from kernel.ids import new_token
from kernel.store import execute, fetch_value
from tenants.invoices import actions

CLOCK = SystemClock()


def told(answer: Any) -> dict[str, Any]:
    """Everything of an answer but the request's own id."""
    return {
        "status": answer.status_code,
        "body": answer.content,
        "headers": {k: v for k, v in answer.headers.items() if k != "x-request-id"},
    }


async def a_draft_behind_a_link(tenants: Any, acme: Any, content: Any) -> str:
    """A link may be issued before its invoice is: until then it opens nothing."""
    async with tenants.database.scope(acme.profile.workspace_id):
        draft = await actions.create_draft(acme.customer_id, content(), clock=CLOCK)
        link = await actions.issue_link(draft, sealer=tenants.sealer, clock=CLOCK)
    return f"/i/{link.token}"


async def expired(tenants: Any, acme: Any) -> str:
    async with tenants.database.scope(acme.profile.workspace_id):
        link = await actions.issue_link(acme.invoice_id, sealer=tenants.sealer, clock=CLOCK)
        await execute(
            "UPDATE link SET expires_at = now() - interval '1 second' WHERE link_id = $1", link.link_id
        )
    return f"/i/{link.token}"


async def revoked(tenants: Any, acme: Any) -> str:
    async with tenants.database.scope(acme.profile.workspace_id):
        link = await actions.issue_link(acme.invoice_id, sealer=tenants.sealer, clock=CLOCK)
        await actions.revoke_link(link.link_id, clock=CLOCK)
    return f"/i/{link.token}"


async def test_every_reason_is_answered_with_the_same_bytes(
    portal: Any, tenants: Any, acme: Any, content: Any
) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    typo = acme.token[:-1] + ("0" if acme.token[-1] != "0" else "1")
    paths = {
        "unknown": f"/i/{new_token()}",
        "expired": await expired(tenants, acme),
        "revoked": await revoked(tenants, acme),
        "draft": await a_draft_behind_a_link(tenants, acme, content),
        "foreign": bolt.path,
        "mistyped": f"/i/{typo}",
        "short": "/i/x",
        "long": f"/i/{'x' * 500}",
        "not ascii": "/i/%E2%82%AC%00",
        "no route at all": "/wp-login.php",
        "mute token": "/mute/x",
    }
    answers = {why: told(await portal.visitor().ask(path, acme.host)) for why, path in paths.items()}
    expected = answers["unknown"]
    assert expected["status"] == 404
    assert b"Invoice not found" in expected["body"]
    assert answers == dict.fromkeys(paths, expected)
    # It is nobody's page: it names no workspace and carries nothing that is made for one answer only.
    assert b"Acme" not in expected["body"]
    assert b"nonce" not in expected["body"]
    assert "nonce" not in expected["headers"]["content-security-policy"]
    # A cookie would tell that the browser has been here, and each would be another.
    assert "set-cookie" not in expected["headers"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_pdf_that_is_not_for_you_is_the_same_page(
    portal: Any, tenants: Any, acme: Any, *, content: Any, add_pdf: Any, method: str
) -> None:
    """Whether there is a PDF, and how fast it could be there, is told to nobody either."""
    bolt = await tenants.make(name="Bolt Ltd")
    await add_pdf(bolt)
    await add_pdf(acme)
    paths = {
        "unknown": f"/i/{new_token()}",
        "expired": await expired(tenants, acme),
        "revoked": await revoked(tenants, acme),
        "draft": await a_draft_behind_a_link(tenants, acme, content),
        "foreign": bolt.path,
        "short": "/i/x",
    }
    for accept in ("text/html", "application/json", "application/pdf"):
        expected = told(await portal.visitor().ask(paths["unknown"], acme.host, method=method, accept=accept))
        assert expected["status"] == 404
        answers = {
            why: told(
                await portal.visitor().ask(
                    f"{path}/invoice.pdf?inline", acme.host, method=method, accept=accept, range="bytes=0-1"
                )
            )
            for why, path in paths.items()
        }
        assert answers == dict.fromkeys(paths, expected)


async def test_another_host_answers_with_the_same_page_too(portal: Any, tenants: Any, acme: Any) -> None:
    bolt = await tenants.make(name="Bolt Ltd", locale="de-DE")
    path = f"/i/{new_token()}"
    here, there = [told(await portal.visitor().ask(path, host)) for host in (acme.host, bolt.host)]
    assert here == there


@pytest.mark.parametrize("suffix", ["", "/invoice.json", "/invoice.pdf"])
async def test_an_open_link_opens_until_it_is_revoked(
    portal: Any, tenants: Any, acme: Any, *, add_pdf: Any, suffix: str
) -> None:
    await add_pdf(acme)
    visitor = portal.visitor()
    assert (await visitor.ask(acme.path + suffix, acme.host)).status_code == 200
    async with tenants.database.scope(acme.profile.workspace_id):
        await actions.revoke_link(acme.link_id, clock=CLOCK)
    # At once, although the page is cached: it is found only through the link's own row.
    assert (await visitor.ask(acme.path + suffix, acme.host)).status_code == 404


async def test_misses_are_counted_by_what_was_wrong_with_them(portal: Any, acme: Any) -> None:
    visitor = portal.visitor()
    await visitor.ask(f"/i/{new_token()}", acme.host)
    await visitor.ask(f"/i/{new_token()}/invoice.json", acme.host)
    await visitor.ask("/i/x", acme.host)
    assert portal.count("portal_links_not_found_total", form="token") == 2
    assert portal.count("portal_links_not_found_total", form="malformed") == 1


async def test_unknown_links_are_counted_and_lock_nobody_out(portal: Any, acme: Any) -> None:
    """131 random bits cannot be guessed, and an office shares one address."""
    visitor = portal.visitor()
    answers = [told(await visitor.ask(f"/i/{new_token()}", acme.host)) for _ in range(60)]
    assert answers == [answers[0]] * 60
    assert answers[0]["status"] == 404
    assert portal.count("portal_links_not_found_total", form="token") == 60
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200
    assert (await portal.visitor().ask(acme.path, acme.host)).status_code == 200


async def test_a_mangled_link_locks_nobody_out(portal: Any, acme: Any) -> None:
    visitor = portal.visitor()
    for number in range(40):
        assert (await visitor.ask(f"/i/{acme.token[:-1]}{number}x", acme.host)).status_code == 404
    # Mail programs cut links off, and people share an address.
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200
    assert portal.count("portal_links_not_found_total", form="malformed") == 40


async def test_a_request_writes_nothing_into_the_view_log(portal: Any, tenants: Any, acme: Any) -> None:
    visitor = portal.visitor()
    for method in ("HEAD", "GET"):
        await visitor.ask(acme.path, acme.host, method=method)
    async with tenants.database.scope(acme.profile.workspace_id, read_only=True):
        # Views are logged by a job, not by the request, and a HEAD never is one.
        assert await fetch_value("SELECT count(*) FROM invoice_view") == 0
