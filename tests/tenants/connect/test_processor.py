"""What the processor sends for each question of the port, and what it makes of unusual answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

import pytest

from kernel.errors import Conflict, Invalid, PortalError
from kernel.ids import WorkspaceId, new_id
from kernel.money import Money, find_currency
from kernel.stripe_settings import StripeSettings
from ops.sandbox.stripe.contract import check_request
from ops.sandbox.stripe.routing import decode_pairs
from tenants.connect.client import Retries, StripeApi
from tenants.connect.processor import StripeProcessor
from tenants.ids import AttemptId, InvoiceId, RefundId
from tenants.payments.processor import NewPayment, PaymentProcessor, ProviderPayment, ProviderStatus
from tests.fakes.sample_workspaces import euros
from tests.fakes.scripted_stripe import Answer, Request, ScriptedServer
from tests.fakes.stripe_bodies import build_charge, build_intent, build_list, build_refund

ATTEMPT = AttemptId(new_id())
REFUND = RefundId(new_id())
UNEXPECTED = Answer(
    400, {"error": {"type": "invalid_request_error", "code": "payment_intent_unexpected_state"}}
)


@pytest.fixture
async def processor(
    stripe_settings: StripeSettings, scripted_server: ScriptedServer
) -> AsyncIterator[PaymentProcessor]:
    """The processor; whatever a test makes it send is what the SDK's types allow."""
    api = StripeApi(stripe_settings, retries=Retries(attempts=1))
    yield StripeProcessor(api)
    await api.close()
    for sent in scripted_server.requests:
        path, _, query = sent.path.partition("?")
        assert check_request(sent.method, path, decode_pairs(sent.body or query)) == []


def build_payment(amount: Money, fee_bp: int = 0) -> NewPayment:
    return NewPayment(ATTEMPT, WorkspaceId(new_id()), InvoiceId(new_id()), "INV-7", amount, fee_bp)


def refuse(code: str | None = None, parameter: str = "", status: int = 400) -> Answer:
    error = {"type": "invalid_request_error", "message": "x", "param": parameter}
    return Answer(status, {"error": error | ({"code": code} if code else {})})


def read_form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body))


async def confirm(processor: PaymentProcessor) -> ProviderPayment:
    return await processor.confirm_payment(
        "acct_1", "pi_1", attempt_id=ATTEMPT, confirmation_token="ctoken_1", return_url="https://acme/return"
    )


async def test_a_payment_is_created_unconfirmed_for_whatever_the_account_offers(
    processor: PaymentProcessor, scripted_server: ScriptedServer
) -> None:
    scripted_server.answers = [Answer(body=build_intent())]
    await processor.create_payment("acct_1", build_payment(euros("12.34")))
    (sent,) = scripted_server.requests
    form = read_form(sent)
    assert (form["amount"], form["currency"]) == ("1234", "eur")
    assert form["automatic_payment_methods[enabled]"] == "true"
    assert form["metadata[attempt_id]"] == str(ATTEMPT)
    assert not {"confirm", "application_fee_amount"} & form.keys()
    assert not any(name.startswith("payment_method_types") for name in form)
    assert (sent.headers["stripe-account"], sent.headers["idempotency-key"]) == (
        "acct_1",
        f"att:{ATTEMPT}:create",
    )


@pytest.mark.parametrize(
    ("amount", "fee_bp", "fee"),
    [(euros("12.34"), 150, "18"), (Money(999, find_currency("ISK")), 150, "1400")],
    ids=["EUR", "ISK"],
)
async def test_the_platforms_fee_is_rounded_down_to_the_currencys_step(
    processor: PaymentProcessor, scripted_server: ScriptedServer, amount: Money, fee_bp: int, fee: str
) -> None:
    scripted_server.answers = [Answer(body=build_intent())]
    await processor.create_payment("acct_1", build_payment(amount, fee_bp))
    assert read_form(scripted_server.requests[0])["application_fee_amount"] == fee


async def test_a_confirmation_carries_the_token_and_the_way_back(
    processor: PaymentProcessor, scripted_server: ScriptedServer
) -> None:
    scripted_server.answers = [Answer(body=build_intent(status="succeeded", latest_charge=build_charge()))]
    payment = await confirm(processor)
    assert payment.charge is not None
    (sent,) = scripted_server.requests
    form = read_form(sent)
    assert sent.path == "/v1/payment_intents/pi_1/confirm"
    assert (form["confirmation_token"], form["return_url"]) == ("ctoken_1", "https://acme/return")
    assert sent.headers["idempotency-key"] == f"att:{ATTEMPT}:confirm"


async def test_a_decline_is_a_result(processor: PaymentProcessor, scripted_server: ScriptedServer) -> None:
    declined = {"type": "card_error", "code": "card_declined", "decline_code": "lost_card", "message": "x"}
    scripted_server.answers = [
        Answer(402, {"error": declined}),
        Answer(body=build_intent(last_payment_error=declined)),
    ]
    payment = await confirm(processor)
    assert payment.status is ProviderStatus.UNCONFIRMED
    assert payment.failure is not None
    assert payment.failure.decline_code == "lost_card"


async def test_what_was_confirmed_before_is_read_and_what_was_cancelled_is_a_conflict(
    processor: PaymentProcessor, scripted_server: ScriptedServer
) -> None:
    scripted_server.answers = [UNEXPECTED, Answer(body=build_intent(status="processing"))]
    assert (await confirm(processor)).status is ProviderStatus.PROCESSING
    scripted_server.answers = [UNEXPECTED, Answer(body=build_intent(status="canceled"))]
    with pytest.raises(Conflict) as caught:
        await confirm(processor)
    assert caught.value.code == "payment.changed"


async def test_an_unknown_confirmation_token_is_refused(
    processor: PaymentProcessor, scripted_server: ScriptedServer
) -> None:
    scripted_server.answers = [refuse("resource_missing", "confirmation_token", 404)]
    with pytest.raises(Invalid) as caught:
        await confirm(processor)
    assert caught.value.code == "payment.refused"


async def test_the_full_picture_has_all_pages_of_refunds(
    processor: PaymentProcessor, scripted_server: ScriptedServer
) -> None:
    refunds = [build_refund(id=f"re_{number}") for number in range(3)]

    def answer(request: Request) -> Answer:
        if request.path.startswith("/v1/refunds"):
            is_second = "starting_after=re_1" in request.path
            return Answer(
                body=build_list(refunds[2]) if is_second else build_list(*refunds[:2], has_more=True)
            )
        if request.path.startswith("/v1/disputes"):
            return Answer(body=build_list())
        return Answer(body=build_intent(status="succeeded", latest_charge=build_charge()))

    scripted_server.answer = answer
    payment = await processor.load_payment("acct_1", "pi_1")
    assert [refund.source_id for refund in payment.refunds] == ["re_0", "re_1", "re_2"]
    assert {request.headers["stripe-account"] for request in scripted_server.requests} == {"acct_1"}


async def test_a_payment_without_a_charge_is_one_request(
    processor: PaymentProcessor, scripted_server: ScriptedServer
) -> None:
    scripted_server.answers = [Answer(body=build_intent())]
    await processor.load_payment("acct_1", "pi_1")
    assert len(scripted_server.requests) == 1


async def test_each_cancellation_has_a_key_of_its_own_and_reads_what_cannot_be_cancelled(
    processor: PaymentProcessor, scripted_server: ScriptedServer
) -> None:
    for _ in range(2):
        scripted_server.answers = [UNEXPECTED, Answer(body=build_intent(status="processing"))]
        assert (await processor.cancel_payment("acct_1", "pi_1")).status is ProviderStatus.PROCESSING
    keys = [each.headers["idempotency-key"] for each in scripted_server.requests if each.method == "POST"]
    assert len(set(keys)) == 2


async def test_a_refund_is_one_by_its_key(
    processor: PaymentProcessor, scripted_server: ScriptedServer
) -> None:
    scripted_server.answers = [Answer(body=build_refund(metadata={"refund_id": str(REFUND)}))]
    refund = await processor.create_refund("acct_1", "pi_1", refund_id=REFUND, amount=euros("2.00"))
    assert refund.refund_id == REFUND
    (sent,) = scripted_server.requests
    assert sent.headers["idempotency-key"] == f"ref:{REFUND}"
    assert read_form(sent) == {
        "payment_intent": "pi_1",
        "amount": "200",
        "metadata[refund_id]": str(REFUND),
    }


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refuse(parameter="amount"), "payment.refund_too_large"),
        (refuse("charge_already_refunded"), "payment.refund_too_large"),
        (refuse("parameter_unknown", "reason"), "payment.refused"),
    ],
)
async def test_a_refund_beyond_what_is_left_is_a_conflict(
    processor: PaymentProcessor, scripted_server: ScriptedServer, answer: Answer, code: str
) -> None:
    scripted_server.answers = [answer]
    with pytest.raises(PortalError) as caught:
        await processor.create_refund("acct_1", "pi_1", refund_id=REFUND, amount=euros("2.00"))
    assert caught.value.code == code


async def test_nothing_is_sent_for_an_amount_that_stripe_cannot_charge(
    processor: PaymentProcessor, scripted_server: ScriptedServer
) -> None:
    with pytest.raises(Invalid):
        await processor.create_payment("acct_1", build_payment(Money(1234, find_currency("KWD"))))
    assert scripted_server.requests == []
