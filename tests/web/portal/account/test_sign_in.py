"""Signing in on the portal: the code by mail, the authenticator, and what a stranger can learn from it: nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pyotp.totp import TOTP

from kernel.ids import new_id
from kernel.store import execute, fetch_value
from tenants.access.actions import begin_enrolment, confirm_enrolment
from tenants.access.values import Subject, SubjectKind

ANA = "ana@kunde.example"
# What differs from one response to the next and says nothing about the address.
_OWN = re.compile(r'name="form_token" value="[^"]+"|nonce="[^"]+"|nonce-[^\']+')


def describe_answer(answer: Any) -> tuple[int, str, dict[str, str]]:
    """Everything of an answer but its tokens."""
    headers = {
        k: _OWN.sub("", v) for k, v in answer.headers.items() if k not in {"x-request-id", "set-cookie"}
    }
    return answer.status_code, _OWN.sub("", answer.text), headers


async def set_up_authenticator(people: Any, tenant: Any, email: str) -> tuple[str, tuple[str, ...]]:
    """Give an address an authenticator; return its secret and the recovery codes."""
    subject = Subject(SubjectKind.ADDRESS, email)
    workspace_id = tenant.profile.workspace_id
    async with people.database.scope(workspace_id):
        enrolment = await begin_enrolment(subject, sealer=people.sealer)
    code = TOTP(enrolment.secret).now()
    codes = await confirm_enrolment(people.database, workspace_id, subject, code, people.sealer)
    async with people.database.scope(workspace_id):
        # The code of this very step is to be used once more, by the test.
        await execute("UPDATE authenticator SET last_step = 0")
    return enrolment.secret, codes


async def test_a_contact_signs_in_with_the_code_and_reaches_the_home(
    browser: Any, people: Any, acme: Any
) -> None:
    await people.add(acme, ANA)
    page = await browser.follow(await browser.open("/"))
    assert page.status_code == 200
    anonymous = browser.cookies["session"]
    page = await browser.send("/sign-in", email=" Ana@Kunde.example ")
    assert page.status_code == 200
    assert "If ana@kunde.example is known here" in page.text
    code = await people.read_code(acme, ANA)
    answer = await browser.send("/sign-in/code", code=f"{code[:3]} {code[3:]}")
    home = await browser.follow(await browser.follow(answer))
    assert acme.number in home.text
    assert ANA in home.text
    cookie = answer.headers["set-cookie"]
    assert browser.cookies["session"].startswith("s")
    assert browser.cookies["session"] != anonymous
    assert "HttpOnly" in cookie
    assert "Max-Age=7776000" in cookie


async def test_known_and_unknown_addresses_get_the_same_answers(
    make_browser: Any, people: Any, acme: Any
) -> None:
    known = await people.add(acme, "ana@kunde.example")
    unknown = "eve@fremd.example"  # as long, so that the lengths can be compared
    told_of: dict[str, list[Any]] = {}
    for email in (known, unknown):
        browser = make_browser(acme)
        await browser.open("/sign-in")
        answers = [await browser.send("/sign-in", email=email)]
        assert (await people.read_code(acme, email) is None) == (email == unknown)
        answers += [await browser.send("/sign-in/code", code="00000x") for _ in range(6)]
        answers += [await browser.send("/sign-in/code", again="1")]
        told_of[email] = [
            (status, text.replace(email, "<address>"), headers)
            for status, text, headers in map(describe_answer, answers)
        ]
    assert told_of[known] == told_of[unknown]
    assert [status for status, _, _ in told_of[known]] == [200, 403, 403, 403, 403, 403, 403, 429]


async def test_a_code_opens_nothing_in_another_browser(make_browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    own, stolen = make_browser(acme), make_browser(acme)
    for each in (own, stolen):
        await each.open("/sign-in")
    await own.send("/sign-in", email=ANA)
    code = await people.read_code(acme, ANA)
    await people.forget_requests(acme)
    await stolen.send("/sign-in", email=ANA)
    answer = await stolen.send("/sign-in/code", code=code)
    assert answer.status_code == 403
    assert "This code is not right." in answer.text


async def test_a_code_serves_once(browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    await browser.open("/sign-in")
    await browser.send("/sign-in", email=ANA)
    fields = browser.read_hidden_fields("/sign-in/code") | {"code": await people.read_code(acme, ANA)}
    anonymous = dict(browser.cookies)
    assert (await browser.post("/sign-in/code", fields)).status_code == 303
    browser.cookies = anonymous
    answer = await browser.post("/sign-in/code", fields)
    assert (answer.status_code, "This code has expired." in answer.text) == (403, True)


async def test_what_is_no_address_is_said_at_the_field_and_kept(browser: Any) -> None:
    await browser.open("/sign-in?next=/security")
    page = await browser.send("/sign-in", email='ana"@<b>')
    assert page.status_code == 400
    assert 'value="ana&#34;@&lt;b&gt;"' in page.text
    assert 'aria-invalid="true" aria-describedby="email-error"' in page.text
    assert "Enter an e-mail address such as name@example.com." in page.text
    assert browser.read_hidden_fields("/sign-in")["next"] == "/security"


async def test_an_address_that_asks_too_often_is_told_when_it_may_ask_again(
    browser: Any, people: Any, acme: Any
) -> None:
    await browser.open("/sign-in")
    await browser.send("/sign-in", email=ANA)
    page = await browser.send("/sign-in/code", again="1")
    assert page.status_code == 429
    assert "You can ask for another one in less than a minute." in page.text
    # The code that is on its way can still be entered.
    assert browser.read_hidden_fields("/sign-in/code")["email"] == ANA


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/security", "/security"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/authenticator?next=/i/abc", "/authenticator?next=/i/abc"),
    ],
)
async def test_signing_in_returns_to_a_path_of_this_host_only(
    browser: Any, people: Any, acme: Any, *, sent: str, path: str
) -> None:
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    answer = await browser.open(f"/sign-in?next={sent.replace('?', '%3F')}")
    assert (answer.status_code, answer.headers["location"]) == (303, path)


async def test_with_an_authenticator_the_code_by_mail_is_not_enough(
    browser: Any, people: Any, acme: Any
) -> None:
    await people.add(acme, ANA)
    secret, _ = await set_up_authenticator(people, acme, ANA)
    await people.sign_in(browser, acme, ANA)
    for path in ("/", "/security", "/authenticator"):
        assert (await browser.open(path)).headers["location"].startswith("/sign-in")
    assert (await browser.open(f"/i/{acme.invoice_id}")).status_code == 303
    before = browser.cookies["session"]
    page = await browser.open("/sign-in")
    assert "Enter the code that your authenticator shows now." in page.text
    wrong = await browser.send("/sign-in/authenticator", code="12345")
    assert (wrong.status_code, "This code is not right." in wrong.text) == (403, True)
    code = TOTP(secret).now()
    home = await browser.follow(await browser.send("/sign-in/authenticator", code=code))
    assert acme.number in home.text
    assert (await browser.open(f"/i/{acme.invoice_id}")).status_code == 200
    # The reference from before the elevation opens nothing.
    browser.cookies["session"] = before
    assert (await browser.open("/")).status_code == 303


async def test_a_recovery_code_replaces_the_authenticator_once(
    make_browser: Any, people: Any, acme: Any
) -> None:
    await people.add(acme, ANA)
    _, codes = await set_up_authenticator(people, acme, ANA)
    for expected in (303, 403):
        browser = await people.sign_in(make_browser(acme), acme, ANA)
        await browser.open("/sign-in")
        answer = await browser.send("/sign-in/authenticator", code=codes[0].upper())
        assert answer.status_code == expected
        await people.forget_requests(acme)


async def test_after_signing_out_the_cookie_opens_nothing(browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    await browser.open("/")
    cookie = browser.cookies["session"]
    answer = await browser.send("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert "session" not in browser.cookies
    browser.cookies["session"] = cookie
    assert (await browser.open("/")).headers["location"] == "/sign-in"
    assert (await browser.open(f"/i/{acme.invoice_id}")).status_code == 303


async def test_an_address_that_is_no_contact_any_more_has_no_invoices(
    browser: Any, people: Any, acme: Any
) -> None:
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    assert acme.number in (await browser.open("/")).text
    async with people.database.scope(acme.profile.workspace_id):
        await execute("DELETE FROM contact WHERE email = $1", ANA)
    page = await browser.open("/")
    assert (page.status_code, acme.number in page.text) == (200, False)
    assert "There are no invoices for this address yet." in page.text
    assert (await browser.open(f"/i/{acme.invoice_id}")).status_code == 404


async def test_a_session_of_another_workspace_is_none_here(
    make_browser: Any, people: Any, acme: Any, tenants: Any
) -> None:
    bolt = await tenants.make(name="Bolt Ltd")
    for tenant in (acme, bolt):
        await people.add(tenant, ANA)
    there = await people.sign_in(make_browser(bolt), bolt, ANA)
    here = make_browser(acme)
    anonymous = describe_answer(await here.open("/"))
    here.cookies = there.cookies
    assert describe_answer(await here.open("/")) == anonymous


async def test_that_a_session_is_used_is_stored_hourly(browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    async with people.database.scope(acme.profile.workspace_id):
        await execute("UPDATE session SET used_at = used_at - interval '2 hours'")
    await browser.open("/")
    async with people.database.scope(acme.profile.workspace_id):
        recent = "SELECT used_at > now() - interval '1 hour' FROM session"
        assert await fetch_value(recent) is True


async def test_the_pages_are_private_and_run_nothing(browser: Any, people: Any, acme: Any) -> None:
    await people.add(acme, ANA)
    await people.sign_in(browser, acme, ANA)
    for path in ("/", "/security", "/authenticator"):
        headers = (await browser.open(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-robots-tag"] == "noindex"
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'nonce-")
        assert "content-encoding" not in headers


async def test_the_sign_in_speaks_the_browsers_language(browser: Any) -> None:
    page = await browser.open("/sign-in", accept_language="de-AT,en;q=0.5")
    assert '<html lang="de" dir="ltr">' in page.text
    assert "Geben Sie die E-Mail-Adresse ein" in page.text


async def test_an_invoice_by_its_id_is_opened_after_signing_in(browser: Any, people: Any, acme: Any) -> None:
    """A mail to a contact without a link of its own refers to the invoice by its id."""
    await people.add(acme, ANA)
    path = f"/i/{acme.invoice_id}"
    answers = [await browser.open(each) for each in (path, f"/i/{new_id()}")]
    assert [each.status_code for each in answers] == [303, 303]
    assert answers[0].headers["location"] == f"/sign-in?next={path}"
    assert (await browser.open(f"{path}/invoice.json")).status_code == 404
    await browser.follow(answers[0])
    await browser.send("/sign-in", email=ANA)
    answer = await browser.send("/sign-in/code", code=await people.read_code(acme, ANA))
    page = await browser.follow(await browser.follow(answer))
    assert page.status_code == 200
    assert acme.number in page.text
    # Once signed in, what is not one's own is missing: signing in again would not help.
    assert (await browser.open(f"/i/{new_id()}")).status_code == 404
