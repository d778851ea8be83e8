"""Hostile text in comments: it is shown as text, wherever it was typed."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from kernel.clock import SystemClock
from tenants.comments.actions import post_comment
from tenants.comments.values import Author, Side
from tests.fakes.browsers import Browser

CLOCK = SystemClock()
# Vectors of the OWASP XSS filter evasion cheat sheet, and some of our own forms of page.
VECTORS = (
    "<script>alert(1)</script>",
    "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<IMG SRC=javascript:alert('XSS')>",
    '<IMG """><SCRIPT>alert("XSS")</SCRIPT>">',
    "<img src=x:alert(alt) onerror=eval(src) alt=0>",
    "<svg onload=alert(1)>",
    "<svg><script>alert&#40;1)</script>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext></form><form><mglyph><svg><mtext><style><path id=</style><img onerror=alert(1) src>",
    "<body onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==>",
    "<embed src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>click</a>",
    "<a href='vbscript:msgbox(1)'>click</a>",
    "<form action=https://evil.example><input name=form_token></form>",
    "</textarea><script>alert(1)</script>",
    "</p></li></ol><script>alert(1)</script>",
    "</template><script>alert(1)</script>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    '" autofocus onfocus=alert(1) x="',
    "' autofocus onfocus=alert(1) x='",
    "` onmouseover=alert(1) `",
    "<style>@import 'https://evil.example/x.css';</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<!--><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml version='1.0'?><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "{{ 7 * 7 }}{% include 'x' %}${7*7}",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "https://evil.example/'onmouseover='alert(1)",
    'https://evil.example/"onmouseover="alert(1)',
    "https://evil.example/<script>alert(1)</script>",
    "http://evil.example/\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe",
    "https://user:password@evil.example/",
)


class Collector(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append((tag, tuple(sorted(named))))
        if tag == "a":
            self.links.append(named.get("href") or "")


def collect(page: str) -> Collector:
    collector = Collector()
    collector.feed(page)
    return collector


def find_comments(page: str) -> str:
    found = re.search(r"<ol class=\"comments\".*?</ol>", page, re.DOTALL)
    assert found is not None
    return found[0]


async def post(tenants: Any, tenant: Any, number: int, name: str, body: str) -> None:
    async with tenants.database.scope(tenant.profile.workspace_id):
        author = Author(Side.CUSTOMER, name, "ana@kunde.example", browser_hash=bytes(32))
        await post_comment(tenant.invoice_id, author, body, client_id=f"client-{number}", clock=CLOCK)


def test_there_are_vectors_enough() -> None:
    assert len(set(VECTORS)) >= 40


async def test_text_and_names_are_text_on_the_page_and_in_the_section(
    portal: Any, tenants: Any, acme: Any
) -> None:
    for number in range(len(VECTORS)):
        await post(tenants, acme, number, "Ana", "plain text")
    browser = Browser(portal.visitor(), acme.host)
    plain = collect(find_comments((await browser.open(acme.path)).text))
    other = await tenants.another(acme, acme_content())
    for number, vector in enumerate(VECTORS):
        await post(tenants, other, number, vector, vector)
    for path in (other.path, f"{other.path}/thread"):
        shown = find_comments((await browser.ask(path)).text)
        hostile = collect(shown)
        # The same elements with the same attributes as of harmless comments, but for links.
        assert [tag for tag in hostile.tags if tag[0] != "a"] == plain.tags
        assert {tag[1] for tag in hostile.tags if tag[0] == "a"} == {("href", "rel")}
        assert all(re.match(r"https?://evil\.example/[^\s\"<>]*$", link) for link in hostile.links)
        assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in shown
        assert html.escape("<script>alert(1)</script>") in shown
        assert "password@evil.example" not in "".join(hostile.links)


def acme_content() -> Any:
    from tests.web.conftest import build_content

    return build_content(1)


@pytest.mark.parametrize("field", ["name", "email", "body", "client_id"])
async def test_what_is_shown_again_after_a_refusal_is_text_too(portal: Any, acme: Any, field: str) -> None:
    browser = Browser(portal.visitor(), acme.host)
    action = f"{acme.path}/comments"
    await browser.open(acme.path)
    empty: dict[str, Any] = {"name": "", "email": "not an address", "body": ""}
    expected = collect((await browser.send(action, **empty)).text).tags
    for vector in VECTORS:
        answer = await browser.send(action, **dict[str, Any](empty, **{field: vector}))
        assert answer.status_code == 400
        assert collect(answer.text).tags == expected, vector
        browser.page = answer.text
        await browser.open(acme.path)


async def test_hostile_text_in_ones_own_comment_stays_in_its_field(portal: Any, acme: Any) -> None:
    browser = Browser(portal.visitor(), acme.host)
    action = f"{acme.path}/comments"
    said: dict[str, Any] = {"name": "Ana", "email": "ana@kunde.example"}
    await browser.open(acme.path)
    answer = await browser.send(action, body="</textarea><script>alert(1)</script>", **said)
    comment_id = answer.headers["location"].partition("#comment-")[2]
    await browser.open(acme.path)
    assert browser.form(f"{action}/{comment_id}/edit")["body"] == "</textarea><script>alert(1)</script>"
    assert [tag for tag, _ in collect(find_comments(browser.page)).tags if tag == "script"] == []


@pytest.mark.parametrize("field", ["name", "email", "body", "client_id", "resend", "code", "totp"])
async def test_the_mark_of_a_slot_in_a_field_is_text(portal: Any, acme: Any, field: str) -> None:
    browser = Browser(portal.visitor(), acme.host)
    action = f"{acme.path}/comments"
    await browser.open(acme.path)
    said: dict[str, Any] = {"name": "", "email": "not an address", "body": ""}
    answer = await browser.send(action, **dict[str, Any](said, **{field: "\0thread_token\0 \0unknown\0"}))
    assert answer.status_code == 400


async def test_the_mark_of_a_slot_in_a_change_that_is_refused_is_text(portal: Any, acme: Any) -> None:
    browser = Browser(portal.visitor(), acme.host)
    action = f"{acme.path}/comments"
    await browser.open(acme.path)
    answer = await browser.send(action, name="Ana", email="ana@kunde.example", body="Hello")
    edit = f"{action}/{answer.headers['location'].partition('#comment-')[2]}/edit"
    await browser.open(acme.path)
    refused = await browser.send(edit, body="x" * 4001 + "\0thread_token\0 \0unknown\0")
    assert refused.status_code == 400
    assert "thread_token unknown" in browser.form(edit)["body"]
