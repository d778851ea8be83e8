"""What an invoice comes to: named cases, and any invoice at all against sums made another way."""

from __future__ import annotations

import pytest

from kernel.errors import Invalid
from kernel.money import Money
from tenants.invoices.amounts import Totals
from tenants.invoices.bounds import MAX_DOCUMENT_ADJUSTMENTS, MAX_LINE_ADJUSTMENTS, MAX_LINES, MAX_MINOR
from tenants.invoices.content import Adjustment, Content, Line, PriceBasis, Tax, TaxCategory
from tenants.invoices.totals import compute_totals
from tests.fakes.invoice_values import BUYER, EUR, EXEMPT, S19, S20, SELLER, d


def build_line(quantity: str, price: str, tax: Tax = S19, *adjustments: Adjustment, per: str = "1") -> Line:
    return Line(
        name="Thing",
        quantity=d(quantity),
        unit_price=d(price),
        tax=tax,
        base_quantity=d(per),
        adjustments=adjustments,
    )


def build_invoice(*lines: Line, **more: object) -> Content:
    return Content(**{"currency": "EUR", "seller": SELLER, "buyer": BUYER, "lines": lines, **more})  # type: ignore[arg-type]


def build_gross_invoice(*lines: Line, **more: object) -> Content:
    return build_invoice(*lines, prices=PriceBasis.INCLUSIVE, **more)


def build_euros(text: str) -> Money:
    return Money.from_decimal(d(text), EUR)


def format_subtotals(of: Totals) -> list[tuple[str, str, str, str]]:
    return [
        (each.tax.category.value, str(each.tax.rate), str(each.base.amount), str(each.amount.amount))
        for each in of.subtotals
    ]


def test_an_invoice_without_lines_comes_to_nothing() -> None:
    assert compute_totals(build_invoice()).payable == build_euros("0")
    assert compute_totals(build_invoice()).subtotals == ()


def test_a_line_rounds_once_half_up_whatever_its_price_is_per() -> None:
    drawn = compute_totals(
        build_invoice(
            build_line("3", "0.335"),
            build_line("1", "2.005"),
            build_line("7", "41.5645"),
            build_line("10", "1", per="3"),
        )
    )

    assert [str(each.net.amount) for each in drawn.lines] == ["1.01", "2.01", "290.95", "3.33"]
    assert drawn.line_total == build_euros("297.30")
    assert drawn.tax_total == build_euros("56.49")
    assert drawn.payable == build_euros("353.79")


def test_a_negative_line_rounds_away_from_zero_too() -> None:
    assert compute_totals(build_invoice(build_line("-1", "2.005"))).lines[0].net == build_euros("-2.01")


def test_a_line_knows_its_gross_its_adjustments_and_its_net() -> None:
    five_percent = Adjustment(is_charge=False, percent=d("5"))
    postage = Adjustment(is_charge=True, amount=d("4.90"))
    of_another_base = Adjustment(is_charge=False, percent=d("10"), base=d("3.33"))

    drawn = compute_totals(
        build_invoice(build_line("3", "9.99", S19, five_percent, postage, of_another_base))
    ).lines[0]

    assert drawn.gross == build_euros("29.97")
    assert drawn.adjustments == (build_euros("1.50"), build_euros("4.90"), build_euros("0.33"))
    assert drawn.net == drawn.amount == build_euros("33.04")


def test_a_discount_larger_than_the_line_leaves_a_negative_net() -> None:
    too_much = Adjustment(is_charge=False, amount=d("15"))

    drawn = compute_totals(build_invoice(build_line("1", "10", S19, too_much)))

    assert drawn.lines[0].net == build_euros("-5")
    assert drawn.tax_total == build_euros("-0.95")
    assert drawn.payable == build_euros("-5.95")


def test_tax_is_computed_on_the_sum_of_a_rate_and_not_line_by_line() -> None:
    drawn = compute_totals(build_invoice(*(build_line("1", "0.02") for _ in range(30))))

    assert format_subtotals(drawn) == [("S", "19", "0.60", "0.11")]


def test_a_rate_written_twice_is_one_rate_and_first_seen_comes_first() -> None:
    same = Tax(TaxCategory.STANDARD, d("19.00"))

    drawn = compute_totals(
        build_invoice(build_line("1", "1", EXEMPT), build_line("1", "1"), build_line("1", "2", same))
    )

    assert format_subtotals(drawn) == [("E", "0", "1.00", "0.00"), ("S", "19", "3.00", "0.57")]


def test_allowances_charges_prepaid_and_rounding_reach_the_amount_due() -> None:
    drawn = compute_totals(
        build_invoice(
            build_line("2", "50"),
            adjustments=(
                Adjustment(is_charge=False, percent=d("10"), tax=S19),
                Adjustment(is_charge=True, amount=d("7.50"), tax=EXEMPT),
            ),
            prepaid=d("20"),
            rounding=d("-0.10"),
        )
    )

    assert drawn.adjustments == drawn.adjustment_amounts == (build_euros("10"), build_euros("7.50"))
    assert (drawn.line_total, drawn.allowance_total, drawn.charge_total) == (
        build_euros("100"),
        build_euros("10"),
        build_euros("7.5"),
    )
    assert format_subtotals(drawn) == [("S", "19", "90.00", "17.10"), ("E", "0", "7.50", "0.00")]
    assert (drawn.tax_exclusive, drawn.tax_inclusive) == (build_euros("97.50"), build_euros("114.60"))
    assert (drawn.prepaid, drawn.rounding, drawn.payable) == (
        build_euros("20"),
        build_euros("-0.10"),
        build_euros("94.50"),
    )


def test_three_cents_at_twenty_percent_are_still_three_cents() -> None:
    drawn = compute_totals(build_gross_invoice(build_line("1", "0.03", S20)))

    assert format_subtotals(drawn) == [("S", "20", "0.03", "0.01")]
    assert (drawn.tax_inclusive, drawn.rounding, drawn.payable) == (
        build_euros("0.04"),
        build_euros("-0.01"),
        build_euros("0.03"),
    )
    assert drawn.lines[0].amount == build_euros("0.03")


def test_a_gross_price_that_a_net_can_express_needs_no_rounding() -> None:
    drawn = compute_totals(build_gross_invoice(build_line("1", "119"), build_line("3", "1.19")))

    assert [each.net for each in drawn.lines] == [build_euros("100"), build_euros("3")]
    assert [each.amount for each in drawn.lines] == [build_euros("119"), build_euros("3.57")]
    assert (drawn.tax_total, drawn.rounding, drawn.payable) == (
        build_euros("19.57"),
        build_euros("0"),
        build_euros("122.57"),
    )


def test_net_amounts_of_gross_lines_share_out_the_base() -> None:
    drawn = compute_totals(
        build_gross_invoice(
            build_line("1", "1.00"),
            build_line("1", "1.00"),
            build_line("1", "1.00"),
            build_line("1", "0", S19),
        )
    )

    assert [str(each.net.amount) for each in drawn.lines] == ["0.84", "0.84", "0.84", "0.00"]
    assert format_subtotals(drawn) == [("S", "19", "2.52", "0.48")]
    assert drawn.payable == build_euros("3.00")


def test_discounts_on_gross_prices_come_off_what_was_promised() -> None:
    ten_percent = Adjustment(is_charge=False, percent=d("10"))
    voucher = Adjustment(is_charge=False, amount=d("5"), tax=S19)
    postage = Adjustment(is_charge=True, amount=d("4.99"), tax=S19)

    drawn = compute_totals(
        build_gross_invoice(
            build_line("2", "19.99", S19, ten_percent), adjustments=(voucher, postage), prepaid=d("10")
        )
    )

    assert drawn.lines[0].gross == build_euros("39.98")
    assert drawn.lines[0].adjustments == (build_euros("4.00"),)
    assert drawn.lines[0].amount == build_euros("35.98")
    assert drawn.adjustment_amounts == (build_euros("5"), build_euros("4.99"))
    assert (
        drawn.tax_exclusive
        == drawn.line_total - drawn.allowance_total + drawn.charge_total
        == build_euros("30.23")
    )
    assert drawn.payable == build_euros("25.97")


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("currency.unknown", build_invoice(build_line("1", "1"), currency="XXQ")),
        ("invoice.number", build_invoice(build_line("NaN", "1"))),
        ("invoice.number", build_invoice(build_line("1", "sNaN"))),
        ("invoice.number", build_invoice(build_line("1", "1e400"))),
        ("invoice.number", build_invoice(build_line("1", "1"), prepaid=d("Infinity"))),
        (
            "invoice.number",
            build_invoice(build_line("1", "1", S19, Adjustment(is_charge=True, percent=d("-1e400")))),
        ),
        ("invoice.too_large", build_invoice(build_line("999999999999999", "999999999999999"))),
        ("invoice.too_large", build_invoice(*(build_line("1", "9000000000000") for _ in range(2)))),
        ("invoice.too_large", build_invoice(build_line("1", "1"), prepaid=d("10000000000001"))),
        (
            "invoice.too_large",
            build_invoice(build_line("1", "100", S19, Adjustment(is_charge=True, percent=d("1e14")))),
        ),
        ("invoice.too_many_lines", build_invoice(*[build_line("1", "1")] * (MAX_LINES + 1))),
        (
            "invoice.too_many_adjustments",
            build_invoice(
                build_line(
                    "1", "1", S19, *[Adjustment(is_charge=True, amount=d("1"))] * (MAX_LINE_ADJUSTMENTS + 1)
                )
            ),
        ),
        (
            "invoice.too_many_adjustments",
            build_invoice(
                adjustments=(Adjustment(is_charge=True, amount=d("1"), tax=S19),)
                * (MAX_DOCUMENT_ADJUSTMENTS + 1)
            ),
        ),
        ("invoice.negative_price", build_invoice(build_line("1", "-1"))),
        ("invoice.base_quantity", build_invoice(build_line("1", "1", per="0"))),
        ("invoice.base_quantity", build_invoice(build_line("1", "1", per="-3"))),
        ("invoice.tax_rate", build_invoice(build_line("1", "1", Tax(TaxCategory.STANDARD)))),
        ("invoice.tax_rate", build_invoice(build_line("1", "1", Tax(TaxCategory.EXEMPT, d("7"))))),
        (
            "invoice.tax_rate",
            build_invoice(
                adjustments=(Adjustment(is_charge=True, amount=d("1"), tax=Tax(TaxCategory.STANDARD)),)
            ),
        ),
        ("invoice.adjustment", build_invoice(build_line("1", "1", S19, Adjustment(is_charge=True)))),
        (
            "invoice.adjustment",
            build_invoice(
                build_line("1", "1", S19, Adjustment(is_charge=True, amount=d("0.06"), percent=d("5")))
            ),
        ),
        ("invoice.adjustment_tax", build_invoice(adjustments=(Adjustment(is_charge=True, amount=d("1")),))),
        (
            "money.inexact",
            build_invoice(build_line("1", "1", S19, Adjustment(is_charge=True, amount=d("0.005")))),
        ),
        ("money.inexact", build_invoice(build_line("1", "1"), rounding=d("0.001"))),
        ("money.inexact", build_invoice(build_line("1", "1"), currency="JPY", prepaid=d("0.5"))),
    ],
)
def test_what_cannot_be_an_invoice_is_refused_by_its_code(code: str, content: Content) -> None:
    with pytest.raises(Invalid) as refused:
        compute_totals(content)
    assert refused.value.code == code


def test_an_error_names_the_line() -> None:
    with pytest.raises(Invalid) as refused:
        compute_totals(build_invoice(build_line("1", "1"), build_line("1", "1", per="0")))
    assert refused.value.data == {"line": 2, "field": "base_quantity"}


def test_a_float_never_becomes_money() -> None:
    with pytest.raises(TypeError, match="unit_price is a Decimal"):
        compute_totals(build_invoice(Line(name="Thing", quantity=d("1"), unit_price=0.1, tax=S19)))  # type: ignore[arg-type]


def test_five_thousand_lines_come_to_the_largest_amount() -> None:
    most = Money(MAX_MINOR, EUR)

    drawn = compute_totals(build_invoice(*(build_line("1", "2000000000", EXEMPT) for _ in range(MAX_LINES))))

    assert drawn.payable == most
