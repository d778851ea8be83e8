"""How large the numbers of an invoice may be, so that no column overflows and memory is bounded."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from kernel.errors import Invalid

if TYPE_CHECKING:
    from kernel.money import Currency

MAX_LINES: Final = 5_000
MAX_LINE_ADJUSTMENTS: Final = 100
MAX_DOCUMENT_ADJUSTMENTS: Final = 1_000
# Of each repeated part without a limit of its own, such as notes, accounts, attachments and attributes of an item.
MAX_REPETITIONS: Final = 200
# The stored content of one version: 5,000 lines of some 400 bytes.
MAX_CONTENT_BYTES: Final = 2 * 1024 * 1024
# Sums of many invoices still fit into a bigint and, up to nine of the largest, into a JavaScript number.
MAX_MINOR: Final = 10**15
# Of any quantity, price, percentage or amount, in digits.
MAX_INTEGER_DIGITS: Final = 15
MAX_DECIMAL_PLACES: Final = 20


def to_fraction(value: Decimal, field: str, line: int | None = None) -> Fraction:
    """Return the number as an exact fraction.

    Raises Invalid("invoice.number") if it is not finite or has more than 15 digits before or 20 after the
    point; TypeError if it is not a Decimal.
    """
    if not isinstance(value, Decimal):
        raise TypeError(  # pyright: ignore[reportUnreachable]
            f"{field} is a Decimal, not {type(value).__name__}"
        )
    if not value.is_finite():
        raise _invalid_number(field, line)
    if not value:
        return Fraction(0)
    # Checked before the conversion, which would expand 1e999999 to a million digits.
    exponent = value.as_tuple().exponent
    if (
        not isinstance(exponent, int)
        or exponent < -MAX_DECIMAL_PLACES
        or value.adjusted() >= MAX_INTEGER_DIGITS
    ):
        raise _invalid_number(field, line)
    return Fraction(value)


def to_minor(value: Decimal, of: Currency, field: str, line: int | None = None) -> int:
    """Return an amount in major units as minor units; Invalid("money.inexact") if that needs rounding."""
    minor: Fraction = to_fraction(value, field, line) * 10**of.digits
    if minor.denominator != 1:
        text = f"{field} {value:f} has more than the {of.digits} decimal digits of {of.code}."
        raise Invalid("money.inexact", text, field=field, line=line, currency=of.code)
    return minor.numerator


def strip_trailing_zeros(value: Decimal) -> Decimal:
    """Return a number within the bounds as people write it: 19.00 as 19, 20 not as 2E+1."""
    text = f"{value:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _invalid_number(field: str, line: int | None) -> Invalid:
    digits = f"at most {MAX_INTEGER_DIGITS} digits before and {MAX_DECIMAL_PLACES} after the point"
    text = f"{field} is a number with {digits}."
    return Invalid("invoice.number", text, field=field, line=line)
