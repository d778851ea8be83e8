"""The stand-in for Stripe.js in a browser: a page of another origin, the real SDK on the server's side."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import stripe
from playwright.async_api import Browser, Page

from ops.sandbox.stripe.asgi import SandboxApp, serve
from ops.sandbox.stripe.contract import Contract
from ops.sandbox.stripe.routing import Answer, Router
from ops.sandbox.stripe.server import open_sandbox

SHOP = """<!doctype html><html lang="en"><title>Shop</title><div id="payment"></div>
<script src="{sandbox}/stripe.js"></script><script src="/shop.js"></script>"""
# The names of the script are those of Stripe's own: https://docs.stripe.com/js
SHOP_SCRIPT = """
window.changes = [];
window.stripe = Stripe('pk_test_shop_of_the_tests', { stripeAccount: '%s' });
window.elements = stripe.elements({ mode: 'payment', amount: 2000, currency: 'eur' });
const element = elements.create('payment', { layout: 'accordion' });
element.on('change', (event) => changes.push([event.complete, event.value.type]));
element.on('ready', () => document.body.dataset.ready = 'yes');
element.mount('#payment');
window.makeToken = async () => {
  const { error } = await elements.submit();
  if (error) return { error };
  return stripe.createConfirmationToken({ elements, params: { return_url: location.href } });
};
"""


@dataclass
class Shop:
    page: Page
    client: stripe.StripeClient
    account: str

    async def type_card(self, number: str) -> None:
        frame = self.page.frame_locator("#payment iframe")
        await frame.get_by_label("Card number").fill(number)
        await frame.get_by_label("Expiration date").fill("1234")
        await frame.get_by_label("Security code").fill("123")

    async def pay(self) -> stripe.PaymentIntent:
        """Pay as the portal does: the browser makes a token, the server creates and confirms."""
        made = await self.page.evaluate("makeToken()")
        intent = await self.client.v1.payment_intents.create_async(
            {"amount": 2000, "currency": "eur", "automatic_payment_methods": {"enabled": True}},
            {"stripe_account": self.account},
        )
        return await self.client.v1.payment_intents.confirm_async(
            intent.id,
            {"confirmation_token": made["confirmationToken"]["id"], "return_url": self.page.url},
            {"stripe_account": self.account},
        )


@pytest.fixture
async def shop(chromium: Browser) -> AsyncIterator[Shop]:
    async with open_sandbox(account_secrets=("whsec_a",), connect_secrets=("whsec_c",)) as sandbox:
        account = sandbox.control.create_account()
        router = Router()
        policy = f"default-src 'none'; script-src 'self' {sandbox.base_url}; style-src 'unsafe-inline'; "
        policy += f"frame-src {sandbox.base_url}; connect-src {sandbox.base_url}"
        page_headers = (("content-security-policy", policy),)
        body = SHOP.format(sandbox=sandbox.base_url)
        router.add("GET", "/shop", lambda _call: Answer(body, headers=page_headers))
        script = SHOP_SCRIPT % account
        router.add("GET", "/shop.js", lambda _call: Answer(script, content_type="text/javascript"))
        async with serve(SandboxApp([router], contract=Contract())) as origin:
            http = stripe.HTTPXClient()
            client = stripe.StripeClient(
                "sk_test_platform_of_tests", base_addresses={"api": sandbox.base_url}, http_client=http
            )
            context = await chromium.new_context()
            page = await context.new_page()
            await page.goto(f"{origin}/shop")
            await page.wait_for_selector("body[data-ready=yes]")
            yield Shop(page, client, account)
            await context.close()
            await http.close_async()  # type: ignore[no-untyped-call]
        assert sandbox.violations == []


async def test_a_card_that_is_typed_into_the_frame_pays_and_never_touches_the_page(shop: Shop) -> None:
    await shop.type_card("4242424242424242")
    assert (await shop.page.evaluate("changes")).pop() == [True, "card"]
    assert (await shop.pay()).status == "succeeded"
    assert "4242" not in await shop.page.content()
    with pytest.raises(Exception, match="cross-origin"):
        await shop.page.evaluate("document.querySelector('iframe').contentWindow.document")


@pytest.mark.parametrize(
    ("number", "code"),
    [("", "incomplete_number"), ("4242424242424241", "invalid_number")],
)
async def test_a_card_that_is_not_complete_is_an_error_in_the_frame(
    shop: Shop, number: str, code: str
) -> None:
    await shop.type_card(number)
    made = await shop.page.evaluate("makeToken()")
    assert (made["error"]["type"], made["error"]["code"]) == ("validation_error", code)
    assert await shop.page.frame_locator("#payment iframe").get_by_role("alert").inner_text() != ""


@pytest.mark.parametrize(
    ("button", "status"), [("Approve", "succeeded"), ("Refuse", "requires_payment_method")]
)
async def test_the_bank_asks_in_a_dialog_over_the_page(shop: Shop, button: str, status: str) -> None:
    await shop.type_card("4000002760003184")
    intent = await shop.pay()
    assert intent.status == "requires_action"
    handle = "secret => { window.result = stripe.handleNextAction({ clientSecret: secret }); }"
    await shop.page.evaluate(handle, intent.client_secret)
    await shop.page.frame_locator("iframe[title='3D Secure']").get_by_role("button", name=button).click()
    result: dict[str, Any] = await shop.page.evaluate("result")
    shown = result.get("paymentIntent") or result["error"]["payment_intent"]
    assert shown["status"] == status
    assert await shop.page.locator("iframe[title='3D Secure']").count() == 0


async def test_a_wrong_secret_shows_no_payment(shop: Shop) -> None:
    await shop.type_card("4242424242424242")
    intent = await shop.pay()
    asked = await shop.page.evaluate("id => stripe.retrievePaymentIntent(`${id}_secret_x`)", intent.id)
    assert "paymentIntent" not in asked
    assert asked["error"]["type"] == "invalid_request_error"
