"""The language of the page: the workspace's or the recipient's, until the visitor chooses another by a plain form."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from kernel.ids import new_token
from kernel.store import execute
from web.portal.language import extract_primary_language, find_page_language, resolve_locale

GERMAN = '<html lang="de" dir="ltr">'
ENGLISH = '<html lang="en" dir="ltr">'


@pytest.mark.parametrize(
    ("recipient", "workspace", "chosen", "expected"),
    [
        # Without a choice: the recipient's, then the workspace's, whether the pages have words in it or not.
        (None, "en-US", None, "en-US"),
        ("de-AT", "en-US", None, "de-AT"),
        ("fr-FR", "de-DE", None, "fr-FR"),
        # A choice keeps the region of who speaks that language, the recipient's before the workspace's.
        (None, "de-CH", "de", "de-CH"),
        ("de-AT", "de-DE", "de", "de-AT"),
        ("de-AT", "en-GB", "en", "en-GB"),
        ("fr-FR", "de-CH", "de", "de-CH"),
        # Nobody speaks it: the language alone.
        (None, "en-US", "de", "de"),
        ("fr-FR", "it-IT", "en", "en"),
        ("de", "de-AT", "de", "de"),
        # A language is its whole subtag.
        ("den-CA", "fr-FR", "de", "de"),
        ("zh-Hant-TW", "en-US", "en", "en-US"),
    ],
)
def test_a_choice_keeps_the_region_of_the_business(
    recipient: str | None, workspace: str, chosen: str | None, expected: str
) -> None:
    assert resolve_locale(recipient, workspace, chosen) == expected


@pytest.mark.parametrize(
    ("locale", "primary", "spoken"),
    [
        ("de-DE", "de", "de"),
        ("en", "en", "en"),
        ("zh-Hant-TW", "zh", None),
        ("fr-FR", "fr", None),
        ("den-CA", "den", None),
    ],
)
def test_a_locale_names_its_language_and_whether_the_pages_speak_it(
    locale: str, primary: str, spoken: str | None
) -> None:
    assert (extract_primary_language(locale), find_page_language(locale)) == (primary, spoken)


def pdf_links(page: str) -> list[str]:
    """The addresses of the PDF in a page, each once, without the link's own path."""
    found = re.findall(r'"/i/[0-9A-Za-z]+/(invoice\.pdf[^"]*)"', page)
    return sorted({each.replace("&amp;", "&") for each in found})


def language_cookies(answer: Any) -> list[str]:
    """What an answer sets of the language, whatever the name of the cookie begins with."""
    return [each for each in answer.headers.get_list("set-cookie") if "language=" in each]


def errors(page: str) -> list[str]:
    """The error at the field, as a screen reader announces it."""
    return re.findall(r'<p class="error" id="language-error" role="alert">([^<]*)</p>', page)


async def post(visitor: Any, tenant: Any, fields: dict[str, str], **headers: str) -> Any:
    """Send the form with these headers only."""
    named = {"content_type": "application/x-www-form-urlencoded"} | headers
    return await visitor.ask(
        f"{tenant.path}/language", tenant.host, method="POST", content=urlencode(fields).encode(), **named
    )


async def test_choosing_german_shows_the_page_in_german_from_then_on(visitor: Any, acme: Any) -> None:
    form = await visitor.open_form(acme.path, acme.host)
    chosen = await visitor.send_form(f"{acme.path}/language", acme.host, form, language="de")
    assert (chosen.status_code, chosen.headers["location"], chosen.content) == (303, acme.path, b"")
    assert chosen.headers["cache-control"] == "no-store"
    (cookie,) = language_cookies(chosen)
    pair, *attributes = (part.strip() for part in cookie.split(";"))
    assert pair == "language=de"
    assert {each.lower() for each in attributes} == {
        "max-age=31536000",
        "path=/",
        "httponly",
        "samesite=lax",
    }
    before = await visitor.ask(acme.path, acme.host)
    page = await visitor.ask(acme.path, acme.host, cookie=f"{form.cookie}; {pair}")
    assert (ENGLISH in before.text, GERMAN in page.text) == (True, True)
    assert (page.status_code, "set-cookie" in page.headers) == (200, False)
    assert "238,00\N{NO-BREAK SPACE}€" in page.text
    assert pdf_links(before.text) == ["invoice.pdf?lang=en", "invoice.pdf?lang=en&inline"]
    assert pdf_links(page.text) == ["invoice.pdf?lang=de", "invoice.pdf?lang=de&inline"]


async def test_the_chosen_language_is_marked_and_can_be_changed_back(visitor: Any, acme: Any) -> None:
    page = await visitor.ask(acme.path, acme.host, cookie="language=de")
    current = re.findall(r'value="(\w+)" lang="\w+" aria-current="true"', page.text)
    assert current == ["de"]
    form = await visitor.open_form(acme.path, acme.host)
    cookie = f"{form.cookie}; language=de"
    fields = {"form_token": form.token, "language": "en"}
    answer = await post(visitor, acme, fields, cookie=cookie, origin=f"http://{acme.host}")
    assert answer.status_code == 303
    assert [each.partition(";")[0] for each in language_cookies(answer)] == ["language=en"]


async def test_an_english_visitor_of_a_german_business_reads_english(visitor: Any, tenants: Any) -> None:
    tenant = await tenants.make(locale="de-DE")
    german = await visitor.ask(tenant.path, tenant.host)
    english = await visitor.ask(tenant.path, tenant.host, cookie="language=en")
    assert (GERMAN in german.text, ENGLISH in english.text) == (True, True)
    assert pdf_links(german.text) == ["invoice.pdf?lang=de", "invoice.pdf?lang=de&inline"]
    assert pdf_links(english.text) == ["invoice.pdf?lang=en", "invoice.pdf?lang=en&inline"]


async def test_a_page_in_a_language_that_cannot_be_chosen_names_none_in_its_pdf_links(
    visitor: Any, tenants: Any, acme: Any
) -> None:
    async with tenants.database.scope(acme.profile.workspace_id):
        await execute("UPDATE customer SET locale = 'fr-FR' WHERE customer_id = $1", acme.customer_id)
    french = await visitor.ask(acme.path, acme.host)
    assert french.status_code == 200
    assert pdf_links(french.text) == ["invoice.pdf", "invoice.pdf?inline"]
    german = await visitor.ask(acme.path, acme.host, cookie="language=de")
    assert pdf_links(german.text) == ["invoice.pdf?lang=de", "invoice.pdf?lang=de&inline"]


@pytest.mark.parametrize("value", ["fr", "DE", "de-DE", "", '"de"', "%00", "de,en"])
async def test_a_cookie_that_is_no_choice_of_ours_changes_nothing(
    visitor: Any, acme: Any, value: str
) -> None:
    page = await visitor.ask(acme.path, acme.host, cookie=f"language={value}")
    # Cookies may be quoted (RFC 6265, 4.1.1).
    expected = GERMAN if value == '"de"' else ENGLISH
    assert (page.status_code, expected in page.text) == (200, True)


async def test_a_choice_stays_on_its_host(portal: Any, make_portal: Any, tenants: Any, acme: Any) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    visitor = portal.visitor()
    form = await visitor.open_form(acme.path, acme.host)
    chosen = await visitor.send_form(f"{acme.path}/language", acme.host, form, language="de")
    # Without the attribute a browser sends a cookie to the host that set it, and to no other (RFC 6265, 5.3).
    assert "domain" not in language_cookies(chosen)[0].lower()
    assert ENGLISH in (await visitor.ask(bolt.path, bolt.host)).text
    # Nor is the form of one host accepted on another.
    foreign = await visitor.send_form(f"{bolt.path}/language", bolt.host, form, language="de")
    assert (foreign.status_code, language_cookies(foreign)) == (403, [])
    # Over https a browser takes the cookie from this very host only (RFC 6265bis, 4.1.3.2).
    safe = make_portal(public_scheme="https").visitor()
    form = await safe.open_form(acme.path, acme.host)
    assert form.cookie.startswith("__Host-session=")
    chosen = await safe.send_form(
        f"{acme.path}/language", acme.host, form, origin=f"https://{acme.host}", language="de"
    )
    (cookie,) = language_cookies(chosen)
    assert cookie.startswith("__Host-language=de;")
    assert {"secure", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "domain" not in cookie.lower()
    assert GERMAN in (await safe.ask(acme.path, acme.host, cookie="__Host-language=de")).text


@pytest.mark.parametrize("language", ["fr", "", "DE", "de-DE", "<script>alert(1)</script>", None])
async def test_an_unknown_language_is_an_error_at_the_field(
    visitor: Any, acme: Any, language: str | None
) -> None:
    form = await visitor.open_form(acme.path, acme.host)
    fields = {} if language is None else {"language": language}
    answer = await visitor.send_form(f"{acme.path}/language", acme.host, form, **fields)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert acme.number in answer.text
    assert errors(answer.text) == ["Choose one of these languages."]
    # The buttons name the element that describes them (WCAG 2.2, 3.3.1).
    buttons = re.findall(r'<button type="submit" name="language"[^>]*>', answer.text)
    assert len(buttons) == 2
    assert all('aria-describedby="language-error"' in button for button in buttons)
    assert language_cookies(answer) == []
    assert "location" not in answer.headers
    assert "<script>alert" not in answer.text
    # The page without an error has the same element, empty.
    assert errors((await visitor.ask(acme.path, acme.host)).text) == [""]


async def test_the_error_is_in_the_language_of_the_page(visitor: Any, tenants: Any) -> None:
    tenant = await tenants.make(locale="de-DE")
    form = await visitor.open_form(tenant.path, tenant.host)
    answer = await visitor.send_form(f"{tenant.path}/language", tenant.host, form, language="fr")
    assert (answer.status_code, errors(answer.text)) == (400, ["Wählen Sie eine dieser Sprachen."])


async def test_after_an_error_the_form_of_that_page_can_be_sent(visitor: Any, acme: Any) -> None:
    form = await visitor.open_form(acme.path, acme.host)
    page = await visitor.send_form(f"{acme.path}/language", acme.host, form, language="fr")
    token = re.search(r'name="form_token" value="([^"]+)"', page.text)
    assert token is not None
    assert token[1] != form.token
    fields = {"form_token": token[1], "language": "de"}
    again = await post(visitor, acme, fields, cookie=form.cookie, origin=f"http://{acme.host}")
    assert (again.status_code, len(language_cookies(again))) == (303, 1)


async def test_the_form_needs_no_script(visitor: Any, acme: Any) -> None:
    page = (await visitor.ask(acme.path, acme.host)).text
    forms = re.findall(r'<form class="language"(.*?)>(.*?)</form>', page, re.DOTALL)
    ((attributes, inside),) = forms
    assert 'method="post"' in attributes
    assert f'action="{acme.path}/language"' in attributes
    assert re.findall(r'<input type="hidden" name="(\w+)"', inside) == ["form_token"]
    options = re.findall(
        r'<button type="submit" name="language" value="(\w+)" lang="(\w+)"[^>]*>([^<]+)<', inside
    )
    assert options == [("en", "en", "English"), ("de", "de", "Deutsch")]
    # What the policy of the page would have to allow otherwise.
    assert not re.search(r"\son\w+=", attributes + inside)


@pytest.mark.parametrize(
    ("change", "headers"),
    [
        ("wrong token", {}),
        ("short token", {}),
        ("strange token", {}),
        ("empty token", {}),
        ("no token", {}),
        ("no cookie", {}),
        ("other cookie", {}),
        ("", {"origin": "https://evil.example"}),
        ("", {"origin": "null"}),
        ("", {"origin": "http://other.localhost"}),
        ("", {"sec_fetch_site": "cross-site"}),
        ("", {"sec_fetch_site": "same-site"}),
        ("", {"sec_fetch_site": "none"}),
    ],
)
async def test_a_form_that_the_page_did_not_send_is_refused(
    visitor: Any, acme: Any, change: str, headers: dict[str, str]
) -> None:
    form = await visitor.open_form(acme.path, acme.host)
    other = await visitor.open_form(acme.path, acme.host)
    cookies = {"no cookie": "", "other cookie": other.cookie}
    tokens = {
        "wrong token": other.token,
        "short token": form.token[:-8],
        "strange token": "ä\0",
        "empty token": "",
    }
    fields = {"language": "de", "form_token": tokens.get(change, form.token)}
    if change == "no token":
        del fields["form_token"]
    sent = {"origin": f"http://{acme.host}", "cookie": cookies.get(change, form.cookie)} | headers
    answer = await post(visitor, acme, fields, **{name: value for name, value in sent.items() if value})
    assert (answer.status_code, language_cookies(answer)) == (403, [])
    assert "set-cookie" not in answer.headers
    # The same form, unchanged, is accepted: nothing but the change was refused.
    good = await visitor.send_form(f"{acme.path}/language", acme.host, form, language="de")
    assert good.status_code == 303


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec_fetch_site": "same-origin"}, {"origin": "the host's", "sec_fetch_site": "same-origin"}],
)
async def test_a_form_with_its_token_and_no_sign_of_another_site_is_accepted(
    visitor: Any, acme: Any, headers: dict[str, str]
) -> None:
    form = await visitor.open_form(acme.path, acme.host)
    sent = headers | ({"origin": f"http://{acme.host}"} if "origin" in headers else {})
    fields = {"form_token": form.token, "language": "de"}
    answer = await post(visitor, acme, fields, cookie=form.cookie, **sent)
    assert answer.status_code == 303


async def test_what_is_no_form_is_refused(visitor: Any, acme: Any) -> None:
    form = await visitor.open_form(acme.path, acme.host)
    answer = await visitor.ask(
        f"{acme.path}/language",
        acme.host,
        method="POST",
        content=b'{"language": "de"}',
        content_type="application/json",
        cookie=form.cookie,
        origin=f"http://{acme.host}",
    )
    assert (answer.status_code, language_cookies(answer)) == (415, [])


@pytest.mark.parametrize("language", ["de", "fr"])
async def test_without_a_link_there_is_no_language_to_choose(visitor: Any, acme: Any, language: str) -> None:
    form = await visitor.open_form(acme.path, acme.host)
    missed = f"/i/{new_token()}"
    answer = await visitor.send_form(f"{missed}/language", acme.host, form, language=language)
    assert (answer.status_code, "set-cookie" in answer.headers) == (404, False)
    assert answer.content == (await visitor.ask(missed, acme.host)).content


async def test_an_error_is_shown_to_nobody_else(portal: Any, acme: Any) -> None:
    visitor = portal.visitor()
    form = await visitor.open_form(acme.path, acme.host)
    await visitor.send_form(f"{acme.path}/language", acme.host, form, language="fr")
    page = await portal.visitor().ask(acme.path, acme.host)
    assert (page.status_code, errors(page.text)) == (200, [""])
    assert portal.count("portal_document_render_seconds_count") == 1
