"""What the Stripe sandbox takes as an amount; each test is named by the behaviour that it checks."""

import pytest
import stripe

from ops.sandbox.stripe.currencies import SUPPORTED, check_amount
from ops.sandbox.stripe.refusals import ApiRefusal
from tenants.connect.currencies import load_stripe_currencies
from tests.fakes.stripe_payments import PaymentStage


@pytest.mark.parametrize(
    ("currency", "minimum"),
    [("eur", 50), ("gbp", 30), ("huf", 17500), ("jpy", 50), ("mxn", 1000), ("czk", 1500)],
)
async def test_amount_below_the_minimum_is_refused(stage: PaymentStage, currency: str, minimum: int) -> None:
    assert (await stage.create(minimum, currency)).amount == minimum

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.create(minimum - 1, currency)

    assert (refusal.value.code, refusal.value.param) == ("amount_too_small", "amount")


async def test_amount_above_twelve_digits_is_refused(stage: PaymentStage) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.create(1_000_000_000_000)

    assert refusal.value.code == "amount_too_large"


@pytest.mark.parametrize("amount", [0, -100, "10.50", "ten"])
async def test_amount_is_a_positive_integer(stage: PaymentStage, amount: object) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.create(amount)  # type: ignore[arg-type]

    assert refusal.value.param == "amount"


@pytest.mark.parametrize("currency", ["isk", "ugx"])
async def test_currency_without_decimals_is_sent_with_two_zeros(stage: PaymentStage, currency: str) -> None:
    assert (await stage.create(500_00, currency)).amount == 500_00

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.create(500_50, currency)

    assert refusal.value.code == "invalid_charge_amount_no_decimal_compatible"


@pytest.mark.parametrize("currency", ["kwd", "bhd", "jod", "omr", "tnd"])
async def test_three_decimals_end_with_a_zero(stage: PaymentStage, currency: str) -> None:
    assert (await stage.create(12_340, currency)).amount == 12_340

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.create(12_345, currency)

    assert refusal.value.param == "amount"


async def test_unknown_currency_is_refused(stage: PaymentStage) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        await stage.create(1000, "xyz")

    assert refusal.value.param == "currency"
    assert (await stage.create(1000, "EUR")).currency == "eur"


def test_table_of_the_product_agrees_with_the_sandbox() -> None:
    table = load_stripe_currencies()
    assert {code.lower() for code in table} == SUPPORTED

    for code, entry in table.items():
        for amount in (entry.minimum, entry.maximum - entry.maximum % entry.step):
            assert check_amount(amount, code.lower()) == amount
        if entry.step > 1:
            with pytest.raises(ApiRefusal):
                check_amount(entry.minimum + 1, code.lower())
