"""Sessions that can be ended, and the authenticator: set up, used, removed."""

from __future__ import annotations

import html
import re
from typing import Any

from pyotp import parse_uri
from pyotp.totp import TOTP

from kernel.store import execute, fetch_value

ANA = "ana@kunde.example"


async def sign_in(people: Any, make_browser: Any, tenant: Any, email: str = ANA) -> Any:
    """Sign in with one more browser."""
    await people.forget_requests(tenant)
    return await people.sign_in(make_browser(tenant), tenant, email)


async def set_up(browser: Any) -> tuple[str, list[str]]:
    """Set up an authenticator by the page; return its key and the recovery codes."""
    page = await browser.open("/authenticator?next=/i/abc")
    secret = re.sub(" ", "", re.search(r'<p class="key"><code>([^<]+)</code>', page.text)[1])  # type: ignore[index]
    page = await browser.send("/authenticator", code=TOTP(secret).now())
    assert page.status_code == 200, page.text
    return secret, re.findall(r"<li><code>([^<]+)</code></li>", page.text)


def list_sessions(page: Any) -> list[str]:
    return re.findall(r'name="session" value="([0-9a-f-]{36})"', page.text)


async def test_another_session_is_listed_and_ends_at_once(make_browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    phone = await sign_in(people, make_browser, acme)
    laptop = await sign_in(people, make_browser, acme)
    page = await laptop.open("/security")
    assert page.text.count("Firefox on Linux") == 3  # twice in the list, and once in the label of the button
    assert "this browser" in page.text
    (other,) = list_sessions(page)
    assert (await phone.open(f"/i/{acme.invoice_id}")).status_code == 200
    page = await laptop.follow(await laptop.send("/security/sessions", session=other))
    assert "The session has ended." in page.text
    assert list_sessions(page) == []
    assert (await phone.open("/")).headers["location"] == "/sign-in"
    assert (await phone.open(f"/i/{acme.invoice_id}")).status_code == 303
    assert (await laptop.open("/")).status_code == 200


async def test_all_others_end_together(make_browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    others = [await sign_in(people, make_browser, acme) for _ in range(2)]
    mine = await sign_in(people, make_browser, acme)
    await mine.open("/security")
    page = await mine.follow(await mine.send("/security/sessions", session="others"))
    assert "All other sessions have ended." in page.text
    assert [(await each.open("/security")).status_code for each in others] == [303, 303]


async def test_a_session_of_somebody_else_is_a_miss(make_browser: Any, people: Any, acme: Any) -> None:
    for email in (ANA, "eve@kunde.example"):
        await people.add(acme, email)
    ana = await sign_in(people, make_browser, acme)
    # With two sessions, so that the page has the form.
    _, eve = [await sign_in(people, make_browser, acme, "eve@kunde.example") for _ in range(2)]
    async with people.database.scope(acme.profile.workspace_id):
        session_id = await fetch_value("SELECT session_id::text FROM session WHERE subject_id = $1", ANA)
    await eve.open("/security")
    hidden = eve.read_hidden_fields("/security/sessions")
    miss = await eve.open("/i/x")
    for tried in (session_id, "00000000-0000-4000-8000-000000000000", "x"):
        answer = await eve.post("/security/sessions", hidden | {"session": tried})
        assert (answer.status_code, answer.content) == (404, miss.content)
    assert (await ana.open("/")).status_code == 200


async def test_an_authenticator_is_set_up_with_one_code_and_its_recovery_codes_are_shown_once(
    make_browser: Any, people: Any, acme: Any
) -> None:
    await people.add(acme, ANA)
    browser = await sign_in(people, make_browser, acme)
    page = await browser.open("/authenticator?next=/i/abc")
    assert "<svg" in page.text
    uri = html.unescape(re.search(r'href="(otpauth://[^"]+)"', page.text)[1])  # type: ignore[index]
    assert parse_uri(uri).name == ANA
    before = browser.cookies["session"]
    page = await browser.send("/authenticator", code="000")
    assert (page.status_code, "This code is not right." in page.text) == (403, True)
    # The key that was scanned is still the one.
    secret, codes = await set_up(browser)
    assert parse_uri(uri).secret == secret
    assert len(set(codes)) == 10
    assert '<a class="button" href="/i/abc">' in browser.page.text
    assert browser.cookies["session"] != before
    page = await browser.open("/security")
    assert "10 recovery codes are left." in page.text
    assert codes[0] not in page.text
    # Where one is set up, there is nothing to set up.
    assert (await browser.open("/authenticator?next=/i/abc")).headers["location"] == "/i/abc"


async def test_the_form_that_signs_out_works_on_the_page_of_recovery_codes(
    make_browser: Any, people: Any, acme: Any
) -> None:
    """Its token belongs to the cookie that the same response brings."""
    await people.add(acme, ANA)
    browser = await sign_in(people, make_browser, acme)
    await set_up(browser)
    assert (await browser.send("/sign-out")).status_code == 303


async def test_recovery_codes_are_replaced_and_the_authenticator_removed_with_a_code(
    make_browser: Any, people: Any, acme: Any
) -> None:
    await people.add(acme, ANA)
    browser = await sign_in(people, make_browser, acme)
    _, old = await set_up(browser)
    await browser.open("/security")
    page = await browser.send("/security/recovery-codes", code="123456x")
    assert page.status_code == 403
    assert 'aria-describedby="code-error"' in page.text
    page = await browser.send("/security/recovery-codes", code=old[0])
    new = re.findall(r"<li><code>([^<]+)</code></li>", page.text)
    assert len(new) == 10
    assert not set(new) & set(old)
    await browser.open("/security")
    fields = browser.read_hidden_fields("/security/recovery-codes")
    assert (await browser.post("/security/authenticator", fields | {"code": old[1]})).status_code == 403
    answer = await browser.post("/security/authenticator", fields | {"code": new[1]})
    page = await browser.follow(answer)
    assert "The authenticator was removed." in page.text
    assert 'href="/authenticator"' in page.text


async def test_only_a_contact_sets_up_an_authenticator(make_browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    browser = await sign_in(people, make_browser, acme)
    async with people.database.scope(acme.profile.workspace_id):
        await execute("DELETE FROM contact WHERE email = $1", ANA)
    assert (await browser.open("/authenticator")).headers["location"] == "/security"
    assert "Authenticator" not in (await browser.open("/security")).text


async def test_what_a_browser_calls_itself_is_text(make_browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    browser = make_browser(acme)
    await people.sign_in(browser, acme, ANA)
    async with people.database.scope(acme.profile.workspace_id):
        await execute("UPDATE session SET user_agent = '<script>Firefox/1'")
    page = await browser.open("/security")
    assert "<script>" not in page.text
    assert "Firefox" in page.text
