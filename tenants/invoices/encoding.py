"""How a version is stored: content and totals as two JSON documents, read back as the same values."""

from __future__ import annotations

from typing import Final

import msgspec

from kernel.errors import Invalid
from kernel.money import Currency, Money
from tenants.invoices.amounts import LineTotal, TaxSubtotal, Totals
from tenants.invoices.bounds import MAX_CONTENT_BYTES
from tenants.invoices.content import Content, Tax, Value


class _Line(msgspec.Struct, frozen=True, array_like=True):
    gross: int
    adjustments: tuple[int, ...]
    amount: int
    net: int


class _Subtotal(Value, frozen=True):
    tax: Tax
    base: int
    amount: int


class _Totals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Totals in minor units. The digits are stored too: the decimals of a currency may change."""

    currency: str
    digits: int
    lines: tuple[_Line, ...]
    adjustments: tuple[int, ...]
    adjustment_amounts: tuple[int, ...]
    line_total: int
    allowance_total: int
    charge_total: int
    tax_exclusive: int
    subtotals: tuple[_Subtotal, ...]
    tax_total: int
    tax_inclusive: int
    prepaid: int
    rounding: int
    payable: int


_ENCODER: Final = msgspec.json.Encoder()
_CONTENT_DECODER: Final = msgspec.json.Decoder(Content)
_TOTALS_DECODER: Final = msgspec.json.Decoder(_Totals)


def encode_content(content: Content) -> str:
    """Return the content as JSON.

    Invalid("invoice.text") if a text holds what Postgres cannot store, Invalid("invoice.too_long") if it is
    more than 2 MiB in all.
    """
    try:
        encoded = _ENCODER.encode(content)
    except UnicodeEncodeError as error:
        raise _unstorable() from error
    if len(encoded) > MAX_CONTENT_BYTES:
        message = f"The invoice has more than {MAX_CONTENT_BYTES:,} bytes of content."
        raise Invalid("invoice.too_long", message)
    text = encoded.decode()
    # jsonb has no U+0000; an escaped backslash before "u0000" is a text of five harmless characters.
    if "\\u0000" in text.replace("\\\\", ""):
        raise _unstorable()
    return text


def measure_content(content: Content) -> int:
    """Return how many bytes the content takes as JSON: about what it costs to show."""
    return len(_ENCODER.encode(content))


def decode_content(text: str | bytes) -> Content:
    """Return the content that was encoded; msgspec.ValidationError if `encode_content` did not write it."""
    return _CONTENT_DECODER.decode(text)


def encode_totals(totals: Totals) -> str:
    """Return the totals as JSON, in minor units."""
    stored = _Totals(
        currency=totals.currency.code,
        digits=totals.currency.digits,
        lines=tuple(
            _Line(line.gross.minor, _to_minor(line.adjustments), line.amount.minor, line.net.minor)
            for line in totals.lines
        ),
        adjustments=_to_minor(totals.adjustments),
        adjustment_amounts=_to_minor(totals.adjustment_amounts),
        line_total=totals.line_total.minor,
        allowance_total=totals.allowance_total.minor,
        charge_total=totals.charge_total.minor,
        tax_exclusive=totals.tax_exclusive.minor,
        subtotals=tuple(_Subtotal(one.tax, one.base.minor, one.amount.minor) for one in totals.subtotals),
        tax_total=totals.tax_total.minor,
        tax_inclusive=totals.tax_inclusive.minor,
        prepaid=totals.prepaid.minor,
        rounding=totals.rounding.minor,
        payable=totals.payable.minor,
    )
    return _ENCODER.encode(stored).decode()


def decode_totals(text: str | bytes) -> Totals:
    """Return the totals that were encoded; msgspec.ValidationError if `encode_totals` did not write them."""
    stored = _TOTALS_DECODER.decode(text)
    of = Currency(stored.currency, stored.digits)
    return Totals(
        currency=of,
        lines=tuple(
            LineTotal(
                Money(line.gross, of),
                _to_money(line.adjustments, of),
                Money(line.amount, of),
                Money(line.net, of),
            )
            for line in stored.lines
        ),
        adjustments=_to_money(stored.adjustments, of),
        adjustment_amounts=_to_money(stored.adjustment_amounts, of),
        line_total=Money(stored.line_total, of),
        allowance_total=Money(stored.allowance_total, of),
        charge_total=Money(stored.charge_total, of),
        tax_exclusive=Money(stored.tax_exclusive, of),
        subtotals=tuple(
            TaxSubtotal(one.tax, Money(one.base, of), Money(one.amount, of)) for one in stored.subtotals
        ),
        tax_total=Money(stored.tax_total, of),
        tax_inclusive=Money(stored.tax_inclusive, of),
        prepaid=Money(stored.prepaid, of),
        rounding=Money(stored.rounding, of),
        payable=Money(stored.payable, of),
    )


def _to_minor(amounts: tuple[Money, ...]) -> tuple[int, ...]:
    return tuple(amount.minor for amount in amounts)


def _to_money(minors: tuple[int, ...], of: Currency) -> tuple[Money, ...]:
    return tuple(Money(minor, of) for minor in minors)


def _unstorable() -> Invalid:
    return Invalid("invoice.text", "A text of the invoice holds a character that cannot be stored.")
