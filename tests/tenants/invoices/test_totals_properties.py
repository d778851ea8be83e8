"""Totals of any invoice, by properties."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.money import Money, find_currency
from tenants.invoices.amounts import Totals
from tenants.invoices.content import Adjustment, Content, Line, PriceBasis, Tax
from tenants.invoices.totals import compute_totals
from tests.fakes.invoice_values import BUYER, SELLER, TAXES, d


def draw_amounts(digits: int) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**6), 10**6).map(lambda minor: Decimal(minor).scaleb(-digits))


def draw_adjustments(
    digits: int, taxes: st.SearchStrategy[Tax] | st.SearchStrategy[None]
) -> st.SearchStrategy[Adjustment]:
    percents = st.decimals(-50, 150, places=2)
    bases = st.none() | draw_amounts(digits)
    by_amount = st.builds(Adjustment, is_charge=st.booleans(), amount=draw_amounts(digits), tax=taxes)
    by_percent = st.builds(Adjustment, is_charge=st.booleans(), percent=percents, base=bases, tax=taxes)
    return by_amount | by_percent


@st.composite
def draw_content(draw: st.DrawFn, prices: PriceBasis) -> Content:
    of = find_currency(draw(st.sampled_from(["JPY", "EUR", "BHD"])))
    small = st.decimals(-20, 20, places=0)
    lines = st.builds(
        Line,
        name=st.just("Thing"),
        quantity=small | st.decimals(-1_000, 1_000, places=3),
        unit_price=st.decimals(0, 1, places=3) | st.decimals(0, 10_000, places=4),
        tax=st.sampled_from(TAXES),
        base_quantity=st.sampled_from([d("1"), d("3"), d("100"), d("0.7")]),
        adjustments=st.lists(draw_adjustments(of.digits, st.none()), max_size=2).map(tuple),
    )
    return Content(
        currency=of.code,
        seller=SELLER,
        buyer=BUYER,
        prices=prices,
        lines=tuple(draw(st.lists(lines, max_size=8))),
        adjustments=tuple(draw(st.lists(draw_adjustments(of.digits, st.sampled_from(TAXES)), max_size=3))),
        prepaid=draw(st.just(d("0")) | draw_amounts(of.digits)),
        rounding=draw(st.just(d("0")) | draw_amounts(of.digits)),
    )


any_number = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def round_decimal(value: Fraction, digits: int) -> Decimal:
    """Round another way than the product does: by the standard library's decimals, on a long quotient."""
    with localcontext() as context:
        context.prec = 120
        quotient = Decimal(value.numerator) / Decimal(value.denominator)
        return quotient.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def compute_priced_amounts(content: Content, digits: int) -> tuple[list[Decimal], list[Decimal]]:
    """The amount of every line and, signed, of every document adjustment, as priced."""

    def compute_adjustment(one: Adjustment, base: Decimal) -> Decimal:
        if one.amount is not None:
            value = one.amount
        else:
            share = Fraction(one.percent or 0) / 100 * Fraction(base if one.base is None else one.base)
            value = round_decimal(share, digits)
        return value if one.is_charge else -value

    lines = []
    for each in content.lines:
        start = round_decimal(
            Fraction(each.quantity) * Fraction(each.unit_price) / Fraction(each.base_quantity), digits
        )
        lines.append(start + sum((compute_adjustment(one, start) for one in each.adjustments), Decimal(0)))
    total = sum(lines, Decimal(0))
    return lines, [compute_adjustment(one, total) for one in content.adjustments]


def check_sums(drawn: Totals, content: Content) -> None:
    zero = Money.zero(drawn.currency)
    assert drawn.line_total == sum((each.net for each in drawn.lines), zero)
    signs = [(one.is_charge, net) for one, net in zip(content.adjustments, drawn.adjustments, strict=True)]
    assert drawn.allowance_total == sum((net for is_charge, net in signs if not is_charge), zero)
    assert drawn.charge_total == sum((net for is_charge, net in signs if is_charge), zero)
    assert drawn.tax_exclusive == drawn.line_total - drawn.allowance_total + drawn.charge_total
    assert drawn.tax_exclusive == sum((each.base for each in drawn.subtotals), zero)
    assert drawn.tax_total == sum((each.amount for each in drawn.subtotals), zero)
    assert drawn.tax_inclusive == drawn.tax_exclusive + drawn.tax_total
    assert drawn.payable == drawn.tax_exclusive + drawn.tax_total - drawn.prepaid + drawn.rounding
    assert drawn.prepaid.amount == content.prepaid
    for each in drawn.subtotals:
        of_lines = [
            net.net for net, one in zip(drawn.lines, content.lines, strict=True) if one.tax == each.tax
        ]
        of_document = [
            net if one.is_charge else -net
            for net, one in zip(drawn.adjustments, content.adjustments, strict=True)
            if one.tax == each.tax
        ]
        assert each.base == sum(of_lines + of_document, zero)
        tax = Fraction(each.base.amount) * Fraction(each.tax.rate) / 100
        assert each.amount.amount == round_decimal(tax, drawn.currency.digits)
    for one in drawn.lines:
        assert one.amount.currency == drawn.currency


@any_number
@given(draw_content(PriceBasis.EXCLUSIVE))
def test_any_invoice_with_net_prices_adds_up(content: Content) -> None:
    drawn = compute_totals(content)

    check_sums(drawn, content)
    lines, adjustments = compute_priced_amounts(content, drawn.currency.digits)
    assert [each.net.amount for each in drawn.lines] == lines
    assert [each.amount.amount for each in drawn.lines] == lines
    assert drawn.tax_exclusive.amount == sum(lines + adjustments, Decimal(0))
    assert drawn.rounding.amount == content.rounding


@any_number
@given(draw_content(PriceBasis.INCLUSIVE))
def test_any_invoice_with_gross_prices_adds_up_and_keeps_its_promise(content: Content) -> None:
    drawn = compute_totals(content)

    check_sums(drawn, content)
    lines, adjustments = compute_priced_amounts(content, drawn.currency.digits)
    promised = sum(lines + adjustments, Decimal(0))
    assert drawn.payable.amount == promised - content.prepaid + content.rounding
    assert [each.amount.amount for each in drawn.lines] == lines
    # A category and rate misses one unit at most, and those without tax none.
    missed = Money.from_decimal(drawn.rounding.amount - content.rounding, drawn.currency)
    assert abs(missed.minor) <= len([each for each in drawn.subtotals if each.tax.rate])


@any_number
@given(draw_content(PriceBasis.INCLUSIVE))
def test_the_net_of_a_gross_line_is_its_own_and_no_other_lines(content: Content) -> None:
    for drawn, line_ in zip(compute_totals(content).lines, content.lines, strict=True):
        share = Fraction(drawn.amount.minor) / (1 + Fraction(line_.tax.rate) / 100)
        assert abs(drawn.net.minor - share) < 1
        assert abs(drawn.net.minor) <= abs(drawn.amount.minor)
        assert drawn.net.minor * drawn.amount.minor >= 0
        assert line_.tax.rate or drawn.net == drawn.amount


@any_number
@given(draw_content(PriceBasis.EXCLUSIVE), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_no_total(content: Content, random: object) -> None:
    shuffled = list(content.lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first = compute_totals(content)
    second = compute_totals(
        Content(
            currency=content.currency,
            seller=SELLER,
            buyer=BUYER,
            lines=tuple(shuffled),
            adjustments=content.adjustments,
            prepaid=content.prepaid,
            rounding=content.rounding,
        )
    )

    assert second.payable == first.payable
    assert {each.tax: (each.base, each.amount) for each in second.subtotals} == {
        each.tax: (each.base, each.amount) for each in first.subtotals
    }
