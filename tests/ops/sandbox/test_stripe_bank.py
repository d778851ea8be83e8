"""The page to play the bank: what its buttons do to payments and accounts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import stripe
from stripe import RequestOptions

from ops.sandbox.stripe.amounts import write_amount
from ops.sandbox.stripe.server import Sandbox, open_sandbox


@dataclass
class Bank:
    sandbox: Sandbox
    client: stripe.StripeClient
    browser: httpx.AsyncClient
    account: str

    @property
    def options(self) -> RequestOptions:
        return {"stripe_account": self.account}

    async def pay(self, method: str) -> stripe.PaymentIntent:
        token = self.sandbox.control.create_confirmation_token(self.account, method)
        return await self.client.v1.payment_intents.create_async(
            {
                "amount": 2000,
                "currency": "eur",
                "description": "Invoice <1>",
                "automatic_payment_methods": {"enabled": True},
                "confirm": True,
                "confirmation_token": token,
                "return_url": "https://portal.example/i/x",
            },
            self.options,
        )

    async def press(self, verb: str, target: str, **fields: str) -> int:
        answer = await self.browser.post("/bank", data={"verb": verb, "target": target, **fields})
        return answer.status_code

    async def read_status(self, intent: stripe.PaymentIntent) -> str:
        return (await self.client.v1.payment_intents.retrieve_async(intent.id, None, self.options)).status


@pytest.fixture
async def bank() -> AsyncIterator[Bank]:
    async with open_sandbox() as sandbox:
        http = stripe.HTTPXClient()
        client = stripe.StripeClient(
            "sk_test_platform", base_addresses={"api": sandbox.base_url}, http_client=http
        )
        async with httpx.AsyncClient(base_url=sandbox.base_url) as browser:
            account = sandbox.control.create_account(display_name="Kamm & Söhne")
            yield Bank(sandbox, client, browser, account)
        await http.close_async()  # type: ignore[no-untyped-call]
        assert sandbox.violations == []


@pytest.mark.parametrize(
    ("units", "currency", "text"),
    [
        (123450, "eur", "1\u202f234.50 EUR"),
        (5, "usd", "0.05 USD"),
        (1234567, "jpy", "1\u202f234\u202f567 JPY"),
        (136950, "kwd", "136.950 KWD"),
        (9996000, "isk", "99\u202f960.00 ISK"),
    ],
)
def test_amounts_are_written_with_the_decimals_that_stripe_counts(
    units: int, currency: str, text: str
) -> None:
    assert write_amount(units, currency) == text


@pytest.mark.parametrize(("verb", "status"), [("settle", "succeeded"), ("fail", "requires_payment_method")])
async def test_a_slow_bank_settles_or_fails(bank: Bank, verb: str, status: str) -> None:
    intent = await bank.pay("sepa_debit")
    assert intent.status == "processing"
    page = (await bank.browser.get("/bank")).text
    assert "Invoice &lt;1&gt;" in page
    assert "Kamm &amp; Söhne" in page
    assert await bank.press(verb, intent.id) == 303
    assert await bank.read_status(intent) == status


async def test_money_is_given_back_until_none_is_left(bank: Bank) -> None:
    charge = str((await bank.pay("pm_card_visa")).latest_charge)
    assert await bank.press("refund", charge, amount="500") == 303
    assert await bank.press("refund", charge, amount="1501") == 400
    assert await bank.press("refund", charge) == 303
    refunds = await bank.client.v1.refunds.list_async({"charge": charge}, bank.options)
    assert [refund.amount for refund in refunds.data] == [1500, 500]
    assert 'value="refund"' not in (await bank.browser.get("/bank")).text


@pytest.mark.parametrize(("verb", "status"), [("win", "won"), ("lose", "lost")])
async def test_a_dispute_is_opened_and_decided(bank: Bank, verb: str, status: str) -> None:
    charge = str((await bank.pay("pm_card_visa")).latest_charge)
    assert await bank.press("dispute", charge) == 303
    assert "dispute needs_response" in (await bank.browser.get("/bank")).text
    [dispute] = (await bank.client.v1.disputes.list_async({"charge": charge}, bank.options)).data
    assert await bank.press(verb, dispute.id) == 303
    decided = await bank.client.v1.disputes.retrieve_async(dispute.id, None, bank.options)
    assert decided.status == status
    assert f'value="{verb}"' not in (await bank.browser.get("/bank")).text


async def test_an_inquiry_moves_no_money(bank: Bank) -> None:
    charge = str((await bank.pay("pm_card_visa")).latest_charge)
    assert await bank.press("inquire", charge) == 303
    [books] = bank.sandbox.books.read(bank.account).values()
    assert (books.charged, books.taken_by_disputes) == (2000, 0)


async def test_an_account_loses_cards_and_access(bank: Bank) -> None:
    assert await bank.press("capability", bank.account, status="restricted") == 303
    account = await bank.client.v2.core.accounts.retrieve_async(
        bank.account, {"include": ["configuration.merchant"]}
    )
    assert account.configuration is not None
    assert account.configuration.merchant is not None
    assert account.configuration.merchant.capabilities is not None
    assert account.configuration.merchant.capabilities.card_payments is not None
    assert account.configuration.merchant.capabilities.card_payments.status == "restricted"
    assert await bank.press("deauthorise", bank.account) == 303
    with pytest.raises(stripe.PermissionError):
        await bank.client.v1.payment_intents.list_async(None, bank.options)
    assert await bank.press("authorise", bank.account) == 303
    assert (await bank.client.v1.payment_intents.list_async(None, bank.options)).data == []


@pytest.mark.parametrize(
    ("verb", "target", "fields"),
    [
        ("burn", "acct_1", {}),
        ("settle", "pi_1", {}),
        ("deauthorise", "acct_1", {}),
        ("capability", "acct_1", {"status": "great"}),
        ("refund", "ch_1", {"amount": "much"}),
    ],
)
async def test_what_the_bank_does_not_know_is_no_failure_of_the_page(
    bank: Bank, verb: str, target: str, fields: dict[str, str]
) -> None:
    assert 400 <= await bank.press(verb, target, **fields) < 500
