"""The totals of an invoice: the arithmetic of EN 16931 over the content of one version."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from kernel.errors import Invalid
from kernel.money import Currency, Money, find_currency
from tenants.invoices.amounts import LineTotal, TaxSubtotal, Totals
from tenants.invoices.bounds import (
    MAX_DOCUMENT_ADJUSTMENTS,
    MAX_LINE_ADJUSTMENTS,
    MAX_LINES,
    MAX_MINOR,
    to_fraction,
    to_minor,
)
from tenants.invoices.content import Adjustment, Content, Line, PriceBasis, Tax
from tenants.invoices.rounding import apportion, find_base, round_half_up
from tenants.invoices.taxes import check_rate


@dataclass(frozen=True, slots=True)
class _PricedAmount:
    """The amount of a line, or of a document adjustment with its sign: as priced, with tax in inclusive prices."""

    tax: Tax
    minor: int


@dataclass(frozen=True, slots=True)
class _TaxGroup:
    """One tax category and rate, in minor units; `rounding` is the priced sum less base and tax."""

    tax: Tax
    base: int
    amount: int
    rounding: int


def compute_totals(content: Content) -> Totals:
    """Compute the totals of the content, in minor units of its currency (EN 16931-1, 6.4 and 7).

    A line's price x quantity is rounded once, half-up and away from zero; percentages become amounts
    rounded the same way; tax is computed per category and rate on the sum of the nets. With tax-inclusive
    prices, `payable` is the sum of the amounts as priced, less what was prepaid, plus the content's own
    rounding: per category and rate the base is the one whose sum with its tax comes nearest to the
    priced sum, the nets are shared out by largest remainder, and the last unit that may be missing is
    rounding of the document (BT-114).

    Raises Invalid: `invoice.too_large` (an amount beyond 10^15 minor units), `invoice.too_many_lines`
    (5,000), `invoice.too_many_adjustments` (100 on a line, 1,000 on the document), `invoice.number` (not
    finite, or beyond 15 digits before and 20 after the point), `invoice.negative_price`,
    `invoice.base_quantity` (not above zero), `invoice.tax_rate` (outside 0 to 100, or not of its
    category), `invoice.adjustment` (neither amount nor percent, or both and they disagree),
    `invoice.adjustment_tax` (missing on the document), `money.inexact` (an amount with more digits than
    the currency), `currency.unknown`. Data names the field and, where there is one, the line (from 1).
    """
    of = find_currency(content.currency)
    _check_counts(content)
    computed = [_compute_line(line, number, of) for number, line in enumerate(content.lines, 1)]
    line_sum = sum(minor for _, _, minor in computed)
    adjustment_amounts = [
        _compute_adjustment(adjustment, line_sum, of, f"adjustments[{index}]", None)
        for index, adjustment in enumerate(content.adjustments)
    ]
    priced = [
        _PricedAmount(line.tax, minor) for line, (_, _, minor) in zip(content.lines, computed, strict=True)
    ]
    priced += [
        _PricedAmount(_require_tax(adjustment), _sign(adjustment, minor))
        for adjustment, minor in zip(content.adjustments, adjustment_amounts, strict=True)
    ]
    groups = _group_by_tax(priced, content.prices)
    nets = _compute_nets(priced, groups, content.prices)
    lines = tuple(
        LineTotal(
            _to_money(gross, of),
            tuple(_to_money(each, of) for each in adjustments),
            _to_money(minor, of),
            _to_money(net, of),
        )
        for (gross, adjustments, minor), net in zip(computed, nets, strict=False)
    )
    return _build_totals(
        content,
        of,
        lines=lines,
        adjustment_amounts=tuple(adjustment_amounts),
        adjustment_nets=nets[len(lines) :],
        groups=groups,
    )


def _build_totals(
    content: Content,
    of: Currency,
    *,
    lines: tuple[LineTotal, ...],
    adjustment_amounts: tuple[int, ...],
    adjustment_nets: list[int],
    groups: list[_TaxGroup],
) -> Totals:
    allowances = -sum(
        net for one, net in zip(content.adjustments, adjustment_nets, strict=True) if not one.is_charge
    )
    charges = sum(net for one, net in zip(content.adjustments, adjustment_nets, strict=True) if one.is_charge)
    line_total = sum(line.net.minor for line in lines)
    exclusive = line_total - allowances + charges
    tax = sum(group.amount for group in groups)
    prepaid = to_minor(content.prepaid, of, "prepaid")
    rounding = to_minor(content.rounding, of, "rounding") + sum(group.rounding for group in groups)
    return Totals(
        currency=of,
        lines=lines,
        adjustments=tuple(
            _to_money(_sign(one, net), of)
            for one, net in zip(content.adjustments, adjustment_nets, strict=True)
        ),
        adjustment_amounts=tuple(_to_money(minor, of) for minor in adjustment_amounts),
        line_total=_to_money(line_total, of),
        allowance_total=_to_money(allowances, of),
        charge_total=_to_money(charges, of),
        tax_exclusive=_to_money(exclusive, of),
        subtotals=tuple(
            TaxSubtotal(group.tax, _to_money(group.base, of), _to_money(group.amount, of)) for group in groups
        ),
        tax_total=_to_money(tax, of),
        tax_inclusive=_to_money(exclusive + tax, of),
        prepaid=_to_money(prepaid, of),
        rounding=_to_money(rounding, of),
        payable=_to_money(exclusive + tax - prepaid + rounding, of),
    )


def _check_counts(content: Content) -> None:
    if len(content.lines) > MAX_LINES:
        raise Invalid(
            "invoice.too_many_lines",
            f"An invoice holds at most {MAX_LINES:,} lines.",
            lines=len(content.lines),
            most=MAX_LINES,
        )
    most = max((len(line.adjustments) for line in content.lines), default=0)
    if most > MAX_LINE_ADJUSTMENTS or len(content.adjustments) > MAX_DOCUMENT_ADJUSTMENTS:
        text = (
            f"At most {MAX_LINE_ADJUSTMENTS} allowances and charges on a line, "
            f"{MAX_DOCUMENT_ADJUSTMENTS:,} on the document."
        )
        raise Invalid("invoice.too_many_adjustments", text, line=most, document=len(content.adjustments))


def _compute_line(line: Line, number: int, of: Currency) -> tuple[int, tuple[int, ...], int]:
    """Return gross, the amounts of the adjustments, and their sum, as priced."""
    quantity = to_fraction(line.quantity, "quantity", number)
    price = to_fraction(line.unit_price, "unit_price", number)
    if price < 0:
        text = f"Line {number}: a price is never negative; a negative line has a negative quantity (BR-27)."
        raise Invalid("invoice.negative_price", text, line=number, field="unit_price")
    base_quantity = to_fraction(line.base_quantity, "base_quantity", number)
    if base_quantity <= 0:
        text = f"Line {number}: the quantity a price is for is above zero."
        raise Invalid("invoice.base_quantity", text, line=number, field="base_quantity")
    check_rate(line.tax, "tax", number)
    gross = round_half_up(quantity * price / base_quantity * 10**of.digits)
    _to_money(gross, of)
    amounts = tuple(
        _compute_adjustment(adjustment, gross, of, f"adjustments[{index}]", number)
        for index, adjustment in enumerate(line.adjustments)
    )
    changes = sum(_sign(one, minor) for one, minor in zip(line.adjustments, amounts, strict=True))
    return gross, amounts, gross + changes


def _compute_adjustment(
    adjustment: Adjustment, default_base: int, of: Currency, field: str, line: int | None
) -> int:
    """Return the amount of an allowance or a charge in minor units, without the sign it counts with."""
    amount = None if adjustment.amount is None else to_minor(adjustment.amount, of, field, line)
    computed = None
    if adjustment.percent is not None:
        computed = compute_percentage(
            adjustment.percent, adjustment.base, default_base, of, field=field, line=line
        )
    minor = computed if amount is None else amount
    if minor is None or (computed is not None and computed != minor):
        problem = (
            "neither an amount nor a percentage" if minor is None else "a percentage that is not its amount"
        )
        raise Invalid("invoice.adjustment", f"An allowance or charge has {problem}.", field=field, line=line)
    _to_money(minor, of)
    return minor


def compute_percentage(
    percent: Decimal,
    base: Decimal | None,
    default_base: int,
    of: Currency,
    *,
    field: str,
    line: int | None = None,
) -> int:
    """Return percent of `base` (major units), else of `default_base` (minor), half-up in minor units."""
    share = to_fraction(percent, field, line) / 100
    if base is None:
        return round_half_up(share * default_base)
    return round_half_up(share * to_fraction(base, field, line) * 10**of.digits)


def _require_tax(adjustment: Adjustment) -> Tax:
    if adjustment.tax is None:
        text = "An allowance or charge on the document needs a tax category (BR-32, BR-37)."
        raise Invalid("invoice.adjustment_tax", text, reason=adjustment.reason)
    check_rate(adjustment.tax, "charge" if adjustment.is_charge else "allowance")
    return adjustment.tax


def _group_by_tax(priced: list[_PricedAmount], prices: PriceBasis) -> list[_TaxGroup]:
    """Sum up per category and rate, in the order in which they first appear."""
    sums: dict[Tax, int] = {}
    for each in priced:
        sums[each.tax] = sums.get(each.tax, 0) + each.minor
    groups = []
    for tax, total in sums.items():
        rate = check_rate(tax, "tax")
        base = total if prices is PriceBasis.EXCLUSIVE else find_base(total, rate)
        amount = round_half_up(base * rate)
        rounding = 0 if prices is PriceBasis.EXCLUSIVE else total - base - amount
        groups.append(_TaxGroup(tax, base, amount, rounding))
    return groups


def _compute_nets(priced: list[_PricedAmount], groups: list[_TaxGroup], prices: PriceBasis) -> list[int]:
    """Return what each priced amount is without tax; per group the nets sum to its base exactly."""
    if prices is PriceBasis.EXCLUSIVE:
        return [each.minor for each in priced]
    nets = [0] * len(priced)
    indexes_by_tax: dict[Tax, list[int]] = {}
    for index, each in enumerate(priced):
        indexes_by_tax.setdefault(each.tax, []).append(index)
    for group in groups:
        indexes = indexes_by_tax[group.tax]
        divisor = 1 + check_rate(group.tax, "tax")
        shares = apportion(group.base, [priced[index].minor / divisor for index in indexes])
        for index, share in zip(indexes, shares, strict=True):
            nets[index] = share
    return nets


def _sign(adjustment: Adjustment, minor: int) -> int:
    return minor if adjustment.is_charge else -minor


def _to_money(minor: int, of: Currency) -> Money:
    if abs(minor) > MAX_MINOR:
        text = f"An amount of the invoice is beyond {MAX_MINOR:,} minor units of {of.code}."
        raise Invalid("invoice.too_large", text, currency=of.code)
    return Money(minor, of)
