from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from tenants.invoices.content import (
    Adjustment,
    Attribute,
    Period,
    Tax,
    TaxCategory,
)
from tenants.invoices.document.values import AmountSize
from tests.fakes.document_models import (
    MINUS,
    VAT7,
    build_content,
    build_document,
    build_line,
)


def test_figures_of_one_column_have_the_same_digits() -> None:
    paper = build_document(
        build_content(build_line("1.5", "2"), build_line("0.125", "0.75"), build_line("12", "1000"))
    )
    assert [row.quantity for row in paper.rows] == ["2.00", "0.75", "1,000.00"]
    assert [row.price for row in paper.rows] == ["1.500", "0.125", "12.000"]


def test_whole_things_are_not_counted_in_hundredths() -> None:
    paper = build_document(
        build_content(
            build_line(quantity="3.25", unit="MTR"),
            build_line(quantity="-2"),
            build_line(quantity="4", unit="MTR"),
        )
    )
    assert [row.quantity for row in paper.rows] == ["3.25", f"{MINUS}2", "4.00"]


def test_a_price_with_very_many_digits_does_not_lengthen_the_others() -> None:
    paper = build_document(build_content(build_line("0.00123456"), build_line("3")))
    assert [row.price for row in paper.rows] == ["0.00123456", "3.00"]


@pytest.mark.parametrize(("code", "amount"), [("JPY", "100"), ("EUR", "100.00"), ("BHD", "100.000")])
def test_amounts_have_the_digits_of_their_currency(code: str, amount: str) -> None:
    paper = build_document(build_content(currency=code))
    assert [row.amount for row in paper.rows] == [amount]
    assert paper.columns.amount == f"Amount ({code})"


def test_a_price_for_a_hundred_says_so() -> None:
    paper = build_document(build_content(build_line("250", "40", base_quantity=Decimal(100), unit="KGM")))
    assert [(row.price, row.per, row.unit) for row in paper.rows] == [("250.00", "per 100 kg", "kg")]


def test_a_line_tells_its_discount_period_article_and_note() -> None:
    what = build_content(
        build_line(
            description="In the evening",
            item_number="A-7",
            note="Second floor",
            period=Period(dt.date(2026, 3, 1), dt.date(2026, 3, 31)),
            adjustments=(Adjustment(is_charge=False, percent=Decimal("2.5")),),
        )
    )
    (row,) = build_document(what).rows
    assert row.remarks == ("In the evening", "Item A-7", "1 Mar 2026 – 31 Mar 2026", "Second floor")
    assert [(each.label, each.amount) for each in row.adjustments] == [("Discount, 2.5%", f"{MINUS}2.50")]


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [(dt.date(2026, 3, 1), None, "from 1 Mar 2026"), (None, dt.date(2026, 3, 1), "until 1 Mar 2026")],
)
def test_a_period_with_one_end_says_which(start: dt.date | None, end: dt.date | None, words: str) -> None:
    facts = {
        fact.label: fact.value for fact in build_document(build_content(period=Period(start, end))).details
    }
    assert facts == {"Period": words}


def test_columns_that_say_nothing_are_left_out() -> None:
    plain = build_document(build_content()).columns
    full = build_document(build_content(build_line(unit="HUR"), build_line(tax=VAT7))).columns
    assert (plain.position, plain.unit, plain.tax, plain.before_amount) == ("", "", "", 3)
    assert (full.position, full.unit, full.tax, full.before_amount) == ("No.", "Unit", "Tax", 6)


@pytest.mark.parametrize(
    ("price", "amount_size"),
    [
        ("99999.99", AmountSize.NORMAL),
        ("98765432109.87", AmountSize.LONG),
        ("9999999999999.99", AmountSize.HUGE),
    ],
)
def test_long_amounts_are_set_smaller_instead_of_wrapped(price: str, amount_size: AmountSize) -> None:
    assert (
        build_document(build_content(build_line(price, tax=Tax(TaxCategory.OUTSIDE_SCOPE)))).amount_size
        is amount_size
    )


def test_a_line_keeps_every_number_it_came_with() -> None:
    what = build_content(
        build_line(
            attributes=(Attribute("Colour", "green"),),
            buyer_item_number="B-1",
            standard_item_number="4012345678901",
            order_line="3",
            object_identifier="O-4",
            accounting_reference="K-5",
            origin_country="AT",
            price_discount=Decimal("1.25"),
        )
    )
    assert build_document(what).rows[0].remarks == (
        "Colour: green",
        "Your item B-1",
        "Standard item 4012345678901",
        "Order line 3",
        "Object O-4",
        "Your account K-5",
        "Made in Austria",
        "Price already reduced by 1.25",
    )
