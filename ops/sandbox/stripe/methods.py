"""The cards and bank accounts of Stripe's testing page, and what becomes of a payment by each of them.

Source: https://docs.stripe.com/testing (cards, declines, 3D Secure, disputes, refunds) and the pages of each method.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from ops.sandbox.stripe.refusals import ApiRefusal, refuse_v1


class DisputeKind(StrEnum):
    """Whether the bank takes the money at once, or only asks."""

    FRAUDULENT = "fraudulent"
    NOT_RECEIVED = "product_not_received"
    INQUIRY = "inquiry"


class RefundOutcome(StrEnum):
    """What becomes of refunds."""

    SUCCEEDED = "succeeded"
    PENDING = "pending"
    """Pending at first; the control settles or fails it."""
    FAILING = "failing"
    """Succeeded at first; the control fails it."""


@dataclass(frozen=True, slots=True)
class TestMethod:
    """How a payment by a method behaves."""

    __test__ = False  # its name would make pytest collect it

    number: str
    """The number of a card or account; the type itself for a bank redirect."""
    type: str = "card"
    brand: str = "visa"
    country: str = "US"
    code: str = ""
    """The code of the error by which the payment is declined; empty for one that is not."""
    decline_code: str = ""
    asks_action: bool = False
    """Whether the payer must approve first (3D Secure, or the bank's page)."""
    is_delayed: bool = False
    """Whether the bank takes days: the payment is processing until the control settles or fails it."""
    dispute: DisputeKind | None = None
    refund: RefundOutcome = RefundOutcome.SUCCEEDED

    @property
    def last4(self) -> str:
        """What is shown of the number."""
        return self.number[-4:]


def _decline(number: str, decline_code: str, *, asks_action: bool = False) -> TestMethod:
    return TestMethod(number, code="card_declined", decline_code=decline_code, asks_action=asks_action)


_CARDS: Final = (
    TestMethod("4242424242424242"),
    TestMethod("4000056655665556"),
    TestMethod("5555555555554444", brand="mastercard"),
    TestMethod("378282246310005", brand="amex"),
    TestMethod("4000002760000016", country="DE"),
    _decline("4000000000000002", "generic_decline"),
    _decline("4000000000009995", "insufficient_funds"),
    _decline("4000000000009987", "lost_card"),
    _decline("4000000000009979", "stolen_card"),
    _decline("4000000000006975", "card_velocity_exceeded"),
    _decline("4100000000000019", "fraudulent"),
    TestMethod("4000000000000069", code="expired_card"),
    TestMethod("4000000000000127", code="incorrect_cvc"),
    TestMethod("4000000000000119", code="processing_error"),
    TestMethod("4000002500003155", asks_action=True),
    TestMethod("4000002760003184", asks_action=True),
    TestMethod("4000000000003220", asks_action=True),
    TestMethod("4000000000003063", asks_action=True),
    _decline("4000008400001629", "generic_decline", asks_action=True),
    _decline("4000008260003178", "insufficient_funds", asks_action=True),
    TestMethod("4000000000000259", dispute=DisputeKind.FRAUDULENT),
    TestMethod("4000000000002685", dispute=DisputeKind.NOT_RECEIVED),
    TestMethod("4000000000001976", dispute=DisputeKind.INQUIRY),
    TestMethod("4000000000007726", refund=RefundOutcome.PENDING),
    TestMethod("4000000000005126", refund=RefundOutcome.FAILING),
)
_SEPA: Final = (
    TestMethod("DE89370400440532013000", type="sepa_debit", country="DE", is_delayed=True),
    TestMethod("AT321904300235473204", type="sepa_debit", country="AT", is_delayed=True),
    TestMethod("DE62370400440532013001", type="sepa_debit", country="DE", is_delayed=True),
    TestMethod("DE35370400440532013002", type="sepa_debit", country="DE", is_delayed=True),
)
_REDIRECTS: Final = tuple(
    TestMethod(kind, type=kind, country="NL", asks_action=True)
    for kind in ("ideal", "bancontact", "eps", "p24")
)
_BY_NUMBER: Final = MappingProxyType({one.number: one for one in (*_CARDS, *_SEPA, *_REDIRECTS)})
#: The names of cards that stand for a number wherever a payment method is given.
NAMES: Final = MappingProxyType(
    {
        "pm_card_visa": "4242424242424242",
        "pm_card_visa_debit": "4000056655665556",
        "pm_card_mastercard": "5555555555554444",
        "pm_card_amex": "378282246310005",
        "pm_card_de": "4000002760000016",
        "pm_card_visa_chargeDeclined": "4000000000000002",
        "pm_card_chargeDeclined": "4000000000000002",
        "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
        "pm_card_visa_chargeDeclinedLostCard": "4000000000009987",
        "pm_card_visa_chargeDeclinedStolenCard": "4000000000009979",
        "pm_card_visa_chargeDeclinedVelocityLimitExceeded": "4000000000006975",
        "pm_card_radarBlock": "4100000000000019",
        "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
        "pm_card_chargeDeclinedIncorrectCvc": "4000000000000127",
        "pm_card_chargeDeclinedProcessingError": "4000000000000119",
        "pm_card_authenticationRequiredOnSetup": "4000002500003155",
        "pm_card_authenticationRequired": "4000002760003184",
        "pm_card_threeDSecure2Required": "4000000000003220",
        "pm_card_threeDSecureRequired": "4000000000003063",
        "pm_card_threeDSecureRequiredChargeDeclined": "4000008400001629",
        "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
        "pm_card_createDispute": "4000000000000259",
        "pm_card_createDisputeProductNotReceived": "4000000000002685",
        "pm_card_createDisputeInquiry": "4000000000001976",
        "pm_card_pendingRefund": "4000000000007726",
        "pm_card_refundFail": "4000000000005126",
        "pm_sepa_debit": "DE89370400440532013000",
        "sepa_debit": "DE89370400440532013000",
        "pm_ideal": "ideal",
    }
)
_MESSAGES: Final = MappingProxyType(
    {
        "card_declined": "Your card was declined.",
        "expired_card": "Your card has expired.",
        "incorrect_cvc": "Your card's security code is incorrect.",
        "processing_error": "An error occurred while processing your card. Try again in a little bit.",
        "payment_intent_authentication_failure": (
            "We are unable to authenticate your payment method. Please choose a different payment method and try again."
        ),
        "payment_method_provider_decline": "The payment was refused by the provider of the payment method.",
    }
)


def find_method(name: str) -> TestMethod:
    """Return the method for a number, or for one of Stripe's names; a card that no list has succeeds."""
    number = NAMES.get(name, name.replace(" ", ""))
    known = _BY_NUMBER.get(number)
    if known is not None:
        return known
    if number[:2].isalpha() and 14 < len(number) < 35 and number.isalnum():
        return TestMethod(number, type="sepa_debit", country=number[:2], is_delayed=True)
    if not 12 <= len(number) <= 19 or not _has_check_digit(number):
        raise _refuse_number()
    return TestMethod(number)


def describe(code: str, decline_code: str = "") -> str:
    """Return what Stripe tells the payer of an error."""
    if decline_code == "insufficient_funds":
        return "Your card has insufficient funds."
    return _MESSAGES.get(code, "The payment failed.")


def _has_check_digit(number: str) -> bool:
    if not (number.isascii() and number.isdigit()):
        return False
    digits = [int(one) for one in reversed(number)]
    doubled = (sum(divmod(2 * one, 10)) for one in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _refuse_number() -> ApiRefusal:
    return refuse_v1(
        402, "incorrect_number", "Your card number is incorrect.", param="number", kind="card_error"
    )
