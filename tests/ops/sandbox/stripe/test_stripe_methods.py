"""The test cards and bank accounts of the Stripe sandbox; each test is named by the behaviour that it checks."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import stripe

from tests.fakes.stripe_payments import RETURN_URL, PaymentStage

DECLINES = [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("4000 0000 0000 9995", "card_declined", "insufficient_funds"),
    ("4000000000009987", "card_declined", "lost_card"),
    ("4000000000009979", "card_declined", "stolen_card"),
    ("4000000000006975", "card_declined", "card_velocity_exceeded"),
    ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ("4000000000000069", "expired_card", None),
    ("4000000000000127", "incorrect_cvc", None),
    ("4000000000000119", "processing_error", None),
]


@pytest.mark.parametrize(("card", "code", "decline_code"), DECLINES)
async def test_declined_card_answers_402(
    stage: PaymentStage, card: str, code: str, decline_code: str | None
) -> None:
    intent = await stage.create()

    with pytest.raises(stripe.CardError) as refusal:
        await stage.confirm(intent.id, card)

    error = refusal.value.error
    assert error is not None
    assert (refusal.value.http_status, error.type, error.code) == (402, "card_error", code)
    assert (getattr(error, "decline_code", None), bool(error.message)) == (decline_code, True)
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    charge = await stage.read_charge(intent.id)
    assert (charge.id, charge.status, charge.paid, charge.captured) == (error.charge, "failed", False, False)
    assert (charge.failure_code, charge.amount_captured) == (code, 0)
    assert stage.sandbox.books.read(stage.account) == {}


async def test_declined_intent_keeps_the_error_and_takes_another_method(stage: PaymentStage) -> None:
    intent = await stage.create()
    with pytest.raises(stripe.CardError):
        await stage.confirm(intent.id, "pm_card_chargeDeclined")
    declined = await stage.read(intent.id)
    assert declined.last_payment_error is not None
    assert (declined.last_payment_error.code, declined.payment_method) == ("card_declined", None)

    paid = await stage.confirm(intent.id)

    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    assert paid.latest_charge != declined.latest_charge


async def test_wrong_number_makes_no_token(stage: PaymentStage) -> None:
    async with httpx.AsyncClient(base_url=stage.sandbox.base_url) as browser:
        answer = await browser.post(
            "/_js/confirmation_tokens",
            data={"account": stage.account, "number": "4242 4242 4242 4241", "return_url": RETURN_URL},
        )

    assert answer.status_code == 402
    assert (answer.json()["error"]["type"], answer.json()["error"]["code"]) == (
        "card_error",
        "incorrect_number",
    )


@pytest.mark.parametrize(
    "card",
    [
        "pm_card_authenticationRequired",
        "4000 0025 0000 3155",
        "pm_card_threeDSecure2Required",
        "4000000000003063",
    ],
)
async def test_card_may_ask_for_3d_secure(stage: PaymentStage, card: str) -> None:
    intent = await stage.pay(card)
    assert (intent.status, intent.latest_charge) == ("requires_action", None)
    assert intent.next_action is not None
    assert intent.next_action.type == "use_stripe_sdk"

    stage.sandbox.control.settle(intent.id)

    paid = await stage.read(intent.id)
    assert (paid.status, paid.next_action) == ("succeeded", None)
    assert stage.sandbox.books.read(stage.account)[intent.id].charged == 5000


async def test_refused_3d_secure_fails(stage: PaymentStage) -> None:
    intent = await stage.pay("4000002500003155")

    stage.sandbox.control.fail(intent.id)

    failed = await stage.read(intent.id)
    assert failed.last_payment_error is not None
    assert (failed.status, failed.last_payment_error.code) == (
        "requires_payment_method",
        "payment_intent_authentication_failure",
    )
    assert (failed.latest_charge, stage.sandbox.books.read(stage.account)) == (None, {})


async def test_approved_3d_secure_may_still_be_declined(stage: PaymentStage) -> None:
    intent = await stage.pay("4000008260003178")

    stage.sandbox.control.settle(intent.id)

    failed = await stage.read(intent.id)
    assert failed.last_payment_error is not None
    assert (failed.status, failed.last_payment_error.decline_code) == (
        "requires_payment_method",
        "insufficient_funds",
    )


async def test_abandoned_3d_secure_can_be_cancelled(stage: PaymentStage) -> None:
    intent = await stage.pay("4000002500003155")

    gone = await stage.client.v1.payment_intents.cancel_async(intent.id, None, stage.options())

    assert (gone.status, gone.next_action) == ("canceled", None)


async def test_3d_secure_without_the_script_is_a_page(stage: PaymentStage) -> None:
    intent = await stage.create()

    asked = await stage.client.v1.payment_intents.confirm_async(
        intent.id,
        {"payment_method": "pm_card_authenticationRequired", "return_url": RETURN_URL},
        stage.options(),
    )

    assert asked.next_action is not None
    assert asked.next_action.redirect_to_url is not None
    assert asked.next_action.redirect_to_url.return_url == RETURN_URL


@pytest.mark.parametrize(
    ("verb", "status", "shown"),
    [("approve", "succeeded", "succeeded"), ("refuse", "requires_payment_method", "failed")],
)
async def test_bank_redirect_leads_back_to_the_return_url(
    stage: PaymentStage, verb: str, status: str, shown: str
) -> None:
    intent = await stage.pay("ideal")
    assert intent.next_action is not None
    assert intent.next_action.redirect_to_url is not None
    page = intent.next_action.redirect_to_url.url or ""

    async with httpx.AsyncClient() as browser:
        assert "ideal" in (await browser.get(page)).text
        left = await browser.post(page, data={"verb": verb})

    back = left.headers["location"]
    assert back.startswith(RETURN_URL)
    assert parse_qs(urlsplit(back).query) == {
        "invoice": ["7"],
        "payment_intent": [intent.id],
        "payment_intent_client_secret": [intent.client_secret],
        "redirect_status": [shown],
    }
    assert (await stage.read(intent.id)).status == status


async def test_bank_debit_is_processing_for_days(stage: PaymentStage) -> None:
    intent = await stage.pay("DE89370400440532013000")
    pending = await stage.read_charge(intent.id)
    assert (intent.status, intent.amount_received) == ("processing", 0)
    assert (pending.status, pending.captured, pending.amount_captured) == ("pending", False, 0)
    assert stage.sandbox.books.read(stage.account) == {}

    stage.sandbox.control.settle(intent.id)

    paid = await stage.read_charge(intent.id)
    assert (paid.id, paid.status, paid.amount_captured) == (pending.id, "succeeded", 5000)
    assert paid.payment_method_details is not None
    assert paid.payment_method_details.type == "sepa_debit"
    assert (await stage.read(intent.id)).status == "succeeded"


async def test_bank_debit_may_fail_late(stage: PaymentStage) -> None:
    intent = await stage.pay("DE62370400440532013001")

    stage.sandbox.control.fail(intent.id)

    failed = await stage.read(intent.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error is not None
    assert (await stage.read_charge(intent.id)).status == "failed"
    assert stage.sandbox.books.read(stage.account) == {}


async def test_bank_debit_takes_euros_only(stage: PaymentStage) -> None:
    intent = await stage.create(currency="usd")

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.confirm(intent.id, "DE89370400440532013000")

    assert refusal.value.param == "payment_method"


@pytest.mark.parametrize(
    ("verb", "status"), [("approve", "succeeded"), ("refuse", "requires_payment_method")]
)
async def test_3d_secure_of_the_script_needs_the_client_secret(
    stage: PaymentStage, verb: str, status: str
) -> None:
    intent = await stage.pay("pm_card_threeDSecure2Required")
    given = {"account": stage.account, "client_secret": f"{intent.id}_secret_wrong", "verb": verb}
    async with httpx.AsyncClient(base_url=stage.sandbox.base_url) as browser:
        refused = await browser.post("/_frame/challenge", data=given)
        untouched = await stage.read(intent.id)
        done = await browser.post("/_frame/challenge", data={**given, "client_secret": intent.client_secret})

    assert (refused.status_code, untouched.status) == (404, "requires_action")
    assert (done.status_code, (await stage.read(intent.id)).status) == (200, status)
