"""Requests that the Stripe sandbox refuses before any part of it is asked."""

from collections.abc import AsyncIterator

import httpx
import pytest

from ops.sandbox.stripe.server import Sandbox

KEY = {"authorization": "Bearer sk_test_1"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox()


@pytest.fixture
async def browser(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(sandbox.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://stripe") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/v1/payment_intents", FORM, b"currency=\xff\xfe"),
        ("/v2/core/accounts", JSON, b'{"display_name": "\xff"}'),
        ("/v2/core/accounts", JSON, b'{"display_name": '),
    ],
)
async def test_a_body_that_cannot_be_decoded_is_refused(
    browser: httpx.AsyncClient, path: str, kind: dict[str, str], body: bytes
) -> None:
    answer = await browser.post(path, content=body, headers=KEY | kind)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_an_unknown_address_is_not_found(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/v1/nothing", headers=KEY)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].startswith("Unrecognized request URL (GET: /v1/nothing).")


async def test_the_key_may_be_the_user_of_basic_authentication(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/v1/payment_intents", auth=("sk_test_1", ""))).status_code == 200
    assert (await browser.get("/v1/payment_intents", auth=("sk_live_1", ""))).status_code == 401


async def test_nobody_without_a_key_reads_the_answer_to_another_request(
    sandbox: Sandbox, browser: httpx.AsyncClient
) -> None:
    keyed = {"stripe-account": sandbox.control.create_account(), "idempotency-key": "one"}
    form = {"amount": "1000", "currency": "eur"}
    first = await browser.post("/v1/payment_intents", data=form, headers=KEY | keyed)
    assert first.status_code == 200
    second = await browser.post("/v1/payment_intents", data=form, headers=keyed)
    assert second.status_code == 401
    assert first.json()["id"] not in second.text
