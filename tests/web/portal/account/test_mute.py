"""The mute link of a mail: it works without signing in, for one invoice and one address."""

from __future__ import annotations

from typing import Any

import pytest

from kernel.ids import new_id
from tenants.comments.mute import MutedThread, make_mute_token
from tenants.comments.queries import list_muted
from tenants.ids import InvoiceId

ANA = "ana@kunde.example"


def make_token(tenants: Any, tenant: Any, *, invoice_id: Any = None) -> str:
    thread = MutedThread(invoice_id or tenant.invoice_id, ANA)
    return make_mute_token(tenants.sealer, tenant.profile.workspace_id, thread)


async def read_muted(tenants: Any, tenant: Any) -> frozenset[str]:
    async with tenants.database.scope(tenant.profile.workspace_id, read_only=True):
        return await list_muted(tenant.invoice_id)


async def test_a_button_mutes_and_another_one_takes_it_back(browser: Any, acme: Any, tenants: Any) -> None:
    path = f"/mute/{make_token(tenants, acme)}"
    page = await browser.open(path)
    assert page.status_code == 200
    assert ANA in page.text
    # Looking is not muting: mail scanners open links.
    assert await read_muted(tenants, acme) == frozenset()
    page = await browser.send(path)
    assert "This address gets no e-mail about new comments on this invoice." in page.text
    assert await read_muted(tenants, acme) == {ANA}
    page = await browser.send(path.replace("/mute/", "/unmute/"))
    assert "This address gets an e-mail when there are new comments" in page.text
    assert await read_muted(tenants, acme) == frozenset()


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click"),
        (
            'multipart/form-data; boundary="x"',
            b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
        ),
    ],
)
async def test_a_mail_program_mutes_with_one_post(
    portal: Any, acme: Any, tenants: Any, *, media_type: str, content: bytes
) -> None:
    """RFC 8058: without cookie, token and origin, and twice does no harm."""
    path = f"/mute/{make_token(tenants, acme)}"
    for _ in range(2):
        answer = await portal.visitor().ask(
            path, acme.host, method="POST", content=content, content_type=media_type
        )
        assert answer.status_code == 200
    assert await read_muted(tenants, acme) == {ANA}


async def test_a_token_that_mutes_nothing_here_is_a_miss(portal: Any, acme: Any, tenants: Any) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    token = make_token(tenants, acme)
    tokens = [
        make_token(tenants, bolt),
        make_token(tenants, acme, invoice_id=bolt.invoice_id),
        make_token(tenants, acme, invoice_id=InvoiceId(new_id())),
        token[:-2] + ("AA" if not token.endswith("AA") else "BA"),
        "x",
    ]
    miss = await portal.visitor().ask("/i/x", acme.host)
    for method, prefix in (("GET", "mute"), ("POST", "mute"), ("POST", "unmute")):
        answers = [
            await portal.visitor().ask(f"/{prefix}/{token}", acme.host, method=method) for token in tokens
        ]
        assert [(each.status_code, each.content) for each in answers] == [(404, miss.content)] * len(tokens)
