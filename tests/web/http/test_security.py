"""Security headers of every response."""

import re
from typing import Any

CSP = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; "
CLOSING = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"


async def test_every_response_carries_the_same_security_headers(
    visitor: Any, acme: Any, add_pdf: Any
) -> None:
    await add_pdf(acme)
    expected = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin-allow-popups",
        "permissions-policy": (
            'payment=(self "https://js.stripe.com"), camera=(), microphone=(), geolocation=(), usb=()'
        ),
        "x-robots-tag": "noindex",
    }
    for path, host in (
        (acme.path, acme.host),
        (f"{acme.path}/invoice.json", acme.host),
        (f"{acme.path}/invoice.pdf", acme.host),
        ("/i/nothing", acme.host),
        ("/nowhere", acme.host),
        ("/robots.txt", acme.host),
        (acme.path, "nobody.localhost"),
    ):
        answer = await visitor.ask(path, host)
        assert {name: answer.headers[name] for name in expected} == expected, path
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; "), path
        assert answer.headers["content-security-policy"].endswith(CLOSING), path
        # Plain http is for demo and test: there is nothing to insist on.
        assert "strict-transport-security" not in answer.headers


async def test_the_other_surfaces_take_no_payments_and_forbid_what_they_do_not_need(visitor: Any) -> None:
    expected = {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "payment=(), camera=(), microphone=(), geolocation=(), usb=()",
        "x-robots-tag": "noindex",
        "cache-control": "no-store",
    }
    data = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    for host, policy in (
        ("console.localhost", CSP + CLOSING),
        ("api.localhost", data),
        ("hooks.localhost", data),
    ):
        response = await visitor.ask("/nowhere", host)
        assert response.status_code == 404
        assert {name: response.headers[name] for name in expected} == expected, host
        assert response.headers["content-security-policy"] == policy
        assert "set-cookie" not in response.headers


async def test_over_https_browsers_are_told_to_stay_there(make_portal: Any, acme: Any) -> None:
    visitor = make_portal(public_scheme="https").visitor()
    answer = await visitor.ask(acme.path, acme.host)
    assert answer.headers["strict-transport-security"] == "max-age=63072000"


async def test_the_page_allows_its_own_nonce_and_nothing_else(visitor: Any, acme: Any) -> None:
    first, second = [await visitor.ask(acme.path, acme.host) for _ in range(2)]
    nonces = []
    for answer in (first, second):
        found = re.search(r"script-src 'nonce-([\w-]{22})'", answer.headers["content-security-policy"])
        assert found is not None
        nonces.append(found[1])
        assert answer.headers["content-security-policy"] == (
            f"default-src 'none'; script-src 'nonce-{found[1]}'; style-src 'self' 'nonce-{found[1]}'; "
            f"worker-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self' ws://{acme.host}; {CLOSING}"
        )
        assert set(re.findall(r'nonce="([^"]*)"', answer.text)) == {found[1]}
        assert " style=" not in answer.text
        assert not re.search(r"\son\w+=", answer.text)
    assert nonces[0] != nonces[1]
    values = r'name="(?:form_token|client_id)" value="([^"]+)"'
    own = [re.findall(values, page.text) for page in (first, second)]
    # The tokens of the language and of the thread, and the id of the next comment.
    assert len(own[0]) == len(own[1]) == 3
    assert not set(own[0]) & set(own[1])
    # But for what is made for each response, the pages are the same.
    bare = [re.sub(values, "", page.text) for page in (first, second)]
    assert bare[0].replace(nonces[0], "") == bare[1].replace(nonces[1], "")
