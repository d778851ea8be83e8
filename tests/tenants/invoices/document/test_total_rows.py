from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tenants.invoices.content import (
    Adjustment,
    PriceBasis,
    Tax,
    TaxCategory,
)
from tenants.invoices.document.values import Document, TotalRowKind
from tests.fakes.document_models import (
    MINUS,
    SELLER,
    VAT7,
    VAT19,
    build_content,
    build_document,
    build_line,
)


def list_total_rows(paper: Document) -> list[tuple[str, str]]:
    return [(each.label, each.amount) for each in paper.total_rows]


def test_a_small_invoice_is_told_in_the_fewest_steps() -> None:
    assert list_total_rows(build_document(build_content())) == [
        ("Total before tax", "100.00"),
        ("VAT 19%", "19.00"),
        ("Total (EUR)", "119.00"),
    ]


def test_several_rates_name_what_each_is_computed_on() -> None:
    paper = build_document(build_content(build_line(), build_line("50", tax=VAT7)), "de-DE")
    assert list_total_rows(paper) == [
        ("Nettobetrag", "150,00"),
        ("USt. 19\N{NO-BREAK SPACE}% auf 100,00", "19,00"),
        ("USt. 7\N{NO-BREAK SPACE}% auf 50,00", "3,50"),
        ("Rechnungsbetrag (EUR)", "172,50"),
    ]
    assert [row.tax for row in paper.rows] == ["19\N{NO-BREAK SPACE}%", "7\N{NO-BREAK SPACE}%"]
    assert paper.columns.tax == "Steuer"


def test_allowances_charges_prepayment_and_rounding_are_steps_in_their_order() -> None:
    what = build_content(
        adjustments=(
            Adjustment(is_charge=False, percent=Decimal(10), reason="Loyalty", tax=VAT19),
            Adjustment(is_charge=True, amount=Decimal(5), tax=VAT19),
        ),
        prepaid=Decimal(50),
        rounding=Decimal("-0.05"),
    )
    assert list_total_rows(build_document(what)) == [
        ("Subtotal", "100.00"),
        ("Loyalty, 10%", f"{MINUS}10.00"),
        ("Surcharge", "5.00"),
        ("Total before tax", "95.00"),
        ("VAT 19%", "18.05"),
        ("Total including tax", "113.05"),
        ("Rounding", f"{MINUS}0.05"),
        ("Already paid", f"{MINUS}50.00"),
        ("Balance (EUR)", "63.00"),
    ]


def test_prices_that_contain_the_tax_keep_the_amount_that_was_promised() -> None:
    what = build_content(
        build_line("0.03", tax=Tax(TaxCategory.STANDARD, Decimal(20))), prices=PriceBasis.INCLUSIVE
    )
    paper = build_document(what)
    assert paper.includes_tax == "Prices and amounts of the lines include tax."
    assert [row.amount for row in paper.rows] == ["0.03"]
    assert list_total_rows(paper)[-1] == ("Total (EUR)", "0.03")
    assert build_document(build_content()).includes_tax == ""


def test_what_the_seller_owes_is_called_a_credit() -> None:
    paper = build_document(build_content(build_line("10", "-3")))
    assert [(row.quantity, row.amount) for row in paper.rows] == [(f"{MINUS}3", f"{MINUS}30.00")]
    assert list_total_rows(paper)[-1] == ("Credit in your favour (EUR)", f"{MINUS}35.70")


@pytest.mark.parametrize(
    ("tax", "label"),
    [
        (Tax(TaxCategory.ZERO), "VAT 0%"),
        (Tax(TaxCategory.EXEMPT), "Exempt from tax"),
        (Tax(TaxCategory.REVERSE_CHARGE), "Reverse charge"),
        (Tax(TaxCategory.INTRA_COMMUNITY), "Intra-Community supply"),
        (Tax(TaxCategory.EXPORT), "Export, free of tax"),
        (Tax(TaxCategory.OUTSIDE_SCOPE), "Not subject to tax"),
        (Tax(TaxCategory.CANARY_ISLANDS, Decimal(7)), "IGIC 7%"),
        (Tax(TaxCategory.CEUTA_MELILLA, Decimal(4)), "IPSI 4%"),
    ],
)
def test_every_tax_category_has_its_name(tax: Tax, label: str) -> None:
    assert [
        each.label
        for each in build_document(build_content(build_line(tax=tax))).total_rows
        if each.kind is TotalRowKind.TAX
    ] == [label]


def test_a_seller_without_vat_id_charges_tax_not_vat() -> None:
    what = build_content(seller=msgspec.structs.replace(SELLER, vat_id=""))
    assert list_total_rows(build_document(what))[1] == ("Tax 19%", "19.00")
