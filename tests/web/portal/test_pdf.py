"""The PDF behind a link, once it is stored: whole, in parts, not modified, named for the reader."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any
from urllib.parse import unquote

import pytest

from kernel.clock import SystemClock
from kernel.errors import Unavailable
from kernel.store import execute
from tenants.invoices import actions
from web.http.responses import PIECE

CLOCK = SystemClock()
OUTCOMES = "portal_pdf_answers_total"


@pytest.fixture
async def path(acme: Any) -> str:
    return f"{acme.path}/invoice.pdf"


async def test_a_link_opens_its_pdf(portal: Any, acme: Any, path: str, add_pdf: Any) -> None:
    data = await add_pdf(acme)
    answer = await portal.visitor().ask(path, acme.host, accept="text/html")
    assert (answer.status_code, answer.content) == (200, data)
    said = {
        "content-type": "application/pdf",
        "content-length": str(len(data)),
        "etag": f'"{hashlib.sha256(data).hexdigest()}"',
        "cache-control": "private, no-cache",
        "accept-ranges": "bytes",
        "x-content-type-options": "nosniff",
        "x-robots-tag": "noindex",
    }
    assert {name: answer.headers[name] for name in said} == said
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert portal.count(OUTCOMES, outcome="hit") == 1


async def test_a_pdf_is_never_compressed(visitor: Any, acme: Any, path: str, add_pdf: Any) -> None:
    data = await add_pdf(acme, size=20_000)
    answer = await visitor.ask(path, acme.host, accept_encoding="gzip, br")
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-length"] == str(len(data))


@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7])
async def test_pieces_make_the_whole(visitor: Any, acme: Any, path: str, add_pdf: Any, size: int) -> None:
    data = await add_pdf(acme, size=size)
    answer = await visitor.ask(path, acme.host)
    assert answer.content == data
    part = await visitor.ask(path, acme.host, range=f"bytes={size // 2}-")
    assert (part.status_code, part.content) == (206, data[size // 2 :])


async def test_head_says_the_same_and_sends_nothing(visitor: Any, acme: Any, path: str, add_pdf: Any) -> None:
    await add_pdf(acme, size=3 * PIECE)
    get, head = [await visitor.ask(path, acme.host, method=method) for method in ("GET", "HEAD")]
    passing = {"x-request-id"}
    assert {k: v for k, v in head.headers.items() if k not in passing} == {
        k: v for k, v in get.headers.items() if k not in passing
    }
    assert (head.status_code, head.content) == (200, b"")
    # RFC 9110, 14.2: only a GET has parts.
    assert (await visitor.ask(path, acme.host, method="HEAD", range="bytes=0-1")).status_code == 200


async def test_one_part_is_sent_and_says_where_it_belongs(
    portal: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    data = await add_pdf(acme)
    visitor = portal.visitor()
    answer = await visitor.ask(path, acme.host, range="bytes=100-199")
    assert (answer.status_code, answer.content) == (206, data[100:200])
    assert answer.headers["content-range"] == "bytes 100-199/1000"
    assert answer.headers["content-length"] == "100"
    assert answer.headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
    assert portal.count(OUTCOMES, outcome="part") == 1


async def test_a_part_that_is_not_there_is_refused_with_the_size(
    portal: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    await add_pdf(acme)
    answer = await portal.visitor().ask(path, acme.host, range="bytes=1000-")
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == "bytes */1000"
    assert portal.count(OUTCOMES, outcome="unmet") == 1


async def test_a_request_for_several_parts_gets_the_whole(
    visitor: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    data = await add_pdf(acme)
    answer = await visitor.ask(path, acme.host, range="bytes=0-1,5-6")
    assert (answer.status_code, answer.content) == (200, data)
    assert "content-range" not in answer.headers


async def test_a_part_of_another_state_becomes_the_whole(
    visitor: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    data = await add_pdf(acme)
    tag = (await visitor.ask(path, acme.host)).headers["etag"]
    same = await visitor.ask(path, acme.host, range="bytes=0-9", if_range=tag)
    other = await visitor.ask(path, acme.host, range="bytes=0-9", if_range='"other"')
    assert (same.status_code, same.content) == (206, data[:10])
    assert (other.status_code, other.content) == (200, data)


async def test_a_client_that_has_it_is_told_so(portal: Any, acme: Any, path: str, add_pdf: Any) -> None:
    await add_pdf(acme)
    visitor = portal.visitor()
    tag = (await visitor.ask(path, acme.host)).headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        for method in ("GET", "HEAD"):
            answer = await visitor.ask(path, acme.host, method=method, if_none_match=known, range="bytes=0-1")
            assert (answer.status_code, answer.content) == (304, b""), known
            assert (answer.headers["etag"], answer.headers["cache-control"]) == (tag, "private, no-cache")
            assert "content-length" not in answer.headers
    assert (await visitor.ask(path, acme.host, if_none_match='"x"')).status_code == 200
    assert (await visitor.ask(path, acme.host, if_match='"x"')).status_code == 412
    assert portal.count(OUTCOMES, outcome="not_modified") == 8


@pytest.mark.parametrize(
    ("locale", "name", "expected"),
    [
        ("en-US", "Acme, Inc.", ("Invoice {} - Acme, Inc.pdf", "Invoice {} – Acme, Inc.pdf")),
        ("de-DE", "Müller & Söhne", ("Rechnung {} - Muller & Sohne.pdf", "Rechnung {} – Müller & Söhne.pdf")),
        ("de-DE", 'A/B "C"', ("Rechnung {} - A-B 'C'.pdf", "Rechnung {} – A-B 'C'.pdf")),
    ],
)
async def test_the_file_has_a_name_in_the_customers_language(
    visitor: Any, tenants: Any, add_pdf: Any, *, locale: str, name: str, expected: tuple[str, str]
) -> None:
    tenant = await tenants.make(name=name, locale=locale)
    await add_pdf(tenant, locale=locale)
    answer = await visitor.ask(f"{tenant.path}/invoice.pdf", tenant.host)
    said = answer.headers["content-disposition"]
    plain, full = expected
    assert said.startswith(f'attachment; filename="{plain.format(tenant.number)}"; ')
    assert unquote(said.partition("filename*=UTF-8''")[2]) == full.format(tenant.number)
    inline = await visitor.ask(f"{tenant.path}/invoice.pdf?inline", tenant.host)
    assert inline.headers["content-disposition"] == said.replace("attachment", "inline")


async def test_the_pdf_is_the_one_in_the_recipients_language(
    visitor: Any, tenants: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    english, german = await add_pdf(acme), await add_pdf(acme, locale="de-DE")
    assert (await visitor.ask(path, acme.host)).content == english
    async with tenants.database.scope(acme.profile.workspace_id):
        await execute("UPDATE customer SET locale = 'de-DE' WHERE customer_id = $1", acme.customer_id)
    assert (await visitor.ask(path, acme.host)).content == german


async def test_a_new_version_has_a_pdf_of_its_own(
    visitor: Any, tenants: Any, acme: Any, path: str, *, add_pdf: Any, content: Any
) -> None:
    await add_pdf(acme)
    async with tenants.database.scope(acme.profile.workspace_id):
        await actions.add_version(acme.invoice_id, content(3), clock=CLOCK)
    data = await add_pdf(acme, version=2)
    assert (await visitor.ask(path, acme.host)).content == data


async def test_a_void_invoice_still_has_its_pdf(
    visitor: Any, tenants: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    data = await add_pdf(acme)
    async with tenants.database.scope(acme.profile.workspace_id):
        await actions.void(acme.invoice_id, clock=CLOCK)
    assert (await visitor.ask(path, acme.host)).content == data


async def test_many_readers_at_once_each_get_all_of_it(
    visitor: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    data = await add_pdf(acme, size=3 * PIECE)
    answers = await asyncio.gather(*(visitor.ask(path, acme.host) for _ in range(20)))
    assert {answer.content for answer in answers} == {data}


async def test_a_pdf_counts_as_a_page_and_a_wait_as_nothing_more(
    make_portal: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    visitor = make_portal(page_limit_per_minute=8).visitor()
    await add_pdf(acme)
    # A minute may end meanwhile, and with it the first count.
    answers = [(await visitor.ask(path, acme.host)).status_code for _ in range(24)]
    assert answers[:8] == [200] * 8
    assert 429 in answers
    assert set(answers) == {200, 429}


class FailingBlobs:
    """A store of blobs that is away after so many calls."""

    def __init__(self, blobs: Any, calls: int) -> None:
        self.blobs = blobs
        self.calls = calls

    def _called(self) -> None:
        self.calls -= 1
        if self.calls < 0:
            raise Unavailable("blobs.unavailable", "The store of blobs does not answer.")

    async def size(self, key: str) -> int:
        self._called()
        return int(await self.blobs.size(key))

    async def get(self, key: str, **part: Any) -> bytes:
        self._called()
        return bytes(await self.blobs.get(key, **part))


@pytest.mark.parametrize("calls", [0, 1])
async def test_while_the_store_is_away_the_response_says_when_to_ask_again(
    make_portal: Any, blobs: Any, acme: Any, path: str, *, add_pdf: Any, calls: int
) -> None:
    await add_pdf(acme)
    portal = make_portal(blob_store=FailingBlobs(blobs, calls))
    visitor = portal.visitor()
    answer = await visitor.ask(path, acme.host)
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    assert answer.json()["code"] == "blobs.unavailable"
    assert answer.headers["retry-after"] == "30"
    page = await visitor.ask(path, acme.host, accept="text/html")
    assert page.status_code == 503
    assert "The PDF is not available right now" in page.text
    assert portal.count(OUTCOMES, outcome="down") == 2
    # The invoice itself needs no blob.
    assert (await visitor.ask(acme.path, acme.host)).status_code == 200


async def test_a_store_that_fails_midway_cuts_the_response_short(
    make_portal: Any, blobs: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    data = await add_pdf(acme, size=3 * PIECE)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if not messages:
            # The client stays.
            await asyncio.Event().wait()
        return messages.pop()

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", acme.host.encode())],
        "client": ("192.0.2.9", 1),
    }
    await make_portal(blob_store=FailingBlobs(blobs, 3)).gateway(scope, receive, send)
    bodies = [message for message in sent if message["type"] == "http.response.body"]
    assert b"".join(message["body"] for message in bodies) == data[: 2 * PIECE]
    # Never ended: the server closes such a connection, and the client misses what Content-Length announced.
    assert all(message["more_body"] for message in bodies)


@pytest.mark.parametrize("query", ["?inline", "?inline=1&tries=3", "?tries=x", "?tries=%00", "?&&==;;", "?%"])
async def test_no_query_breaks_it(visitor: Any, acme: Any, path: str, add_pdf: Any, query: str) -> None:
    data = await add_pdf(acme)
    answer = await visitor.ask(path + query, acme.host)
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["content-disposition"].startswith("inline" if "inline" in query else "attachment")


async def test_a_chosen_language_is_the_language_of_the_pdf_and_of_its_name(
    visitor: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    english, german = await add_pdf(acme), await add_pdf(acme, locale="de")
    for query, data, name in (
        ("", english, "Invoice"),
        ("?lang=en", english, "Invoice"),
        ("?lang=de", german, "Rechnung"),
        ("?inline&lang=de", german, "Rechnung"),
    ):
        answer = await visitor.ask(path + query, acme.host)
        assert (answer.status_code, answer.content) == (200, data), query
        shown = "inline" if "inline" in query else "attachment"
        assert answer.headers["content-disposition"].startswith(
            f'{shown}; filename="{name} {acme.number} - Acme GmbH.pdf"'
        )


async def test_the_cookie_does_not_change_a_pdf_whose_address_names_no_language(
    visitor: Any, acme: Any, path: str, add_pdf: Any
) -> None:
    english = await add_pdf(acme)
    await add_pdf(acme, locale="de")
    assert (await visitor.ask(path, acme.host, cookie="language=de")).content == english


@pytest.mark.parametrize(
    "query", ["?lang=fr", "?lang=", "?lang", "?lang=DE", "?lang=de-DE", "?lang=%00", "?LANG=de"]
)
async def test_an_unknown_language_is_ignored(
    visitor: Any, acme: Any, path: str, add_pdf: Any, query: str
) -> None:
    english = await add_pdf(acme)
    await add_pdf(acme, locale="de")
    answer = await visitor.ask(path + query, acme.host)
    assert (answer.status_code, answer.content) == (200, english)
    assert answer.headers["content-disposition"].startswith('attachment; filename="Invoice ')
