"""What Stripe takes as an amount: its own exponents, steps, minimums and maximum.

Written down here from https://docs.stripe.com/currencies, and not read from the product's table: a double that shared
the table could not find an error in it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from ops.sandbox.stripe.refusals import refuse_v1

ZERO_DECIMAL: Final = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()  # noqa: SIM905  -- a list of the page
)
THREE_DECIMAL: Final = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
#: Written with two decimals that must be zero.
WHOLE_UNIT: Final = frozenset({"isk", "ugx"})
_OTHERS: Final = (
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf chf cny cop crc "
    "cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr jmd kes kgs khr kyd "
    "kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php "
    "pkr pln qar ron rsd rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah usd uyu uzs "
    "wst xcd yer zar zmw"
)
SUPPORTED: Final = ZERO_DECIMAL | THREE_DECIMAL | WHOLE_UNIT | frozenset(_OTHERS.split())
_HALF: Final = frozenset("usd ars aud brl cad chf cop eur idr ils inr nzd php rub sgd zar".split())  # noqa: SIM905
_MINIMUMS: Final = MappingProxyType(
    dict.fromkeys(_HALF, 50)
    | {
        "aed": 200,
        "czk": 1500,
        "dkk": 250,
        "gbp": 30,
        "hkd": 400,
        "huf": 17500,
        "jpy": 50,
        "krw": 50,
        "mxn": 1000,
        "myr": 200,
        "nok": 300,
        "pln": 200,
        "ron": 200,
        "sek": 300,
        "thb": 1000,
    }
)
_MAXIMUM: Final = 999_999_999_999


def check_amount(text: object, currency: str) -> int:
    """Return an amount as Stripe takes it."""
    if currency not in SUPPORTED:
        message = f"Invalid currency: {currency}. Stripe currently supports these currencies: " + ", ".join(
            sorted(SUPPORTED)
        )
        raise refuse_v1(400, None, message, param="currency")
    amount = read_positive(text, "amount")
    if amount > _MAXIMUM:
        message = f"Amount must be no more than {_MAXIMUM} {currency}"
        raise refuse_v1(400, "amount_too_large", message, param="amount")
    minimum = _MINIMUMS.get(currency, 1)
    if amount < minimum:
        message = f"Amount must be at least {minimum} {currency}"
        raise refuse_v1(400, "amount_too_small", message, param="amount")
    check_step(amount, currency)
    return amount


def check_step(amount: int, currency: str) -> None:
    """Refuse what is no multiple of the smallest amount that can be moved."""
    if currency in WHOLE_UNIT and amount % 100:
        message = f"Invalid amount: {currency} has no decimals, the last two digits must be 00."
        raise refuse_v1(400, "invalid_charge_amount_no_decimal_compatible", message, param="amount")
    if currency in THREE_DECIMAL and amount % 10:
        message = f"Invalid amount: the least significant digit of {currency} must be 0."
        raise refuse_v1(400, "parameter_invalid_integer", message, param="amount")


def read_positive(text: object, param: str) -> int:
    """Return a number of at least 1."""
    try:
        number = int(str(text))
    except ValueError:
        raise refuse_v1(400, "parameter_invalid_integer", f"Invalid integer: {text}", param=param) from None
    if number < 1:
        message = "This value must be greater than or equal to 1."
        raise refuse_v1(400, "parameter_invalid_integer", message, param=param)
    return number
