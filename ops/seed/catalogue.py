"""The invoices of the other workspaces: taxes, scripts and currencies."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TypedDict

from ops.seed.businesses import (
    DANA,
    HARBOUR,
    HARBOUR_BANK,
    MUELLER,
    NORDLICHT,
    NORDLICHT_BANK,
    PEARL,
    PEARL_BANK,
    SAKURA,
    SAKURA_BANK,
    WREN,
    YAMADA,
)
from ops.seed.example import Example
from ops.seed.lines import JCT8, JCT10, VAT7, VAT10, VAT19, VAT20, build_lines, d
from tenants.invoices.content import (
    Adjustment,
    Content,
    Exemption,
    Line,
    Party,
    Period,
    PriceBasis,
    Tax,
    TaxCategory,
    Transfer,
)


class _Businesses(TypedDict):
    """The content that invoices between the same two businesses share."""

    seller: Party
    buyer: Party
    transfers: tuple[Transfer, ...]


class _Parties(_Businesses):
    """The same, of invoices in one currency."""

    currency: str


def list_harbour_examples(today: dt.date) -> Iterator[Example]:
    """Yield invoices in English and pounds: tax-inclusive prices, document allowances, prepaid, several rates."""
    wren: _Parties = {"currency": "GBP", "seller": HARBOUR, "buyer": WREN, "transfers": (HARBOUR_BANK,)}
    yield Example(
        Content(
            prices=PriceBasis.INCLUSIVE,
            due_date=today + dt.timedelta(days=14),
            lines=(
                Line("Oak counter, oiled", d("1"), d("1849.99"), VAT20),
                Line("Shelf bracket, brass", d("14"), d("11.49"), VAT20),
                Line("Sample off-cut", d("1"), d("0.03"), VAT20),
            ),
            **wren,
        ),
        ("tax-inclusive", "no-logo"),
    )
    yield Example(
        Content(
            lines=(
                Line("Fitted bench, ash", d("3.25"), d("412.00"), VAT20, unit="MTR"),
                Line("Delivery crate, returned", d("-2"), d("35.00"), VAT20),
                Line("Joinery handbook", d("5"), d("18.00"), Tax(TaxCategory.ZERO), unit="C62"),
                Line("Insurance recharge", d("1"), d("75.00"), Tax(TaxCategory.EXEMPT)),
            ),
            adjustments=(
                Adjustment(is_charge=False, percent=d("5"), reason="Loyalty", tax=VAT20),
                Adjustment(is_charge=True, amount=d("40.00"), reason="Delivery", tax=VAT20),
            ),
            prepaid=d("500.00"),
            exemptions=(Exemption(TaxCategory.EXEMPT, "Insurance, VATA 1994 Sch. 9 Group 2"),),
            buyer_reference="Wren / counter 2",
            purchase_order="WR-118",
            due_date=today + dt.timedelta(days=21),
            period=Period(today - dt.timedelta(days=30), today),
            **wren,
        ),
        ("allowances", "prepaid", "negative-lines"),
    )


def list_nordlicht_examples(today: dt.date) -> Iterator[Example]:
    """Yield invoices in German and euros: forty lines, as a machine shop's monthly bill."""
    yield Example(
        Content(
            currency="EUR",
            seller=NORDLICHT,
            buyer=MUELLER,
            transfers=(NORDLICHT_BANK,),
            lines=tuple(build_lines(40, "EUR", VAT19)),
            buyer_reference="Kst. 4711",
            payment_terms="14 Tage netto",
            due_date=today + dt.timedelta(days=14),
            issue_date=today,
            notes=("Bitte geben Sie bei der Zahlung die Rechnungsnummer an.",),
        ),
        ("german", "lines-40"),
    )
    yield Example(
        Content(
            currency="EUR",
            seller=NORDLICHT,
            buyer=MUELLER,
            transfers=(NORDLICHT_BANK,),
            lines=(
                Line("Seminar „Führen im Mittelstand“", d("2"), d("1340.00"), VAT19, unit="DAY"),
                Line("Seminarunterlagen", d("11"), d("20.00"), VAT7),
            ),
            issue_date=today - dt.timedelta(days=20),
            due_date=today - dt.timedelta(days=1),
        ),
        ("german", "overdue"),
    )
    yield from _list_payment_examples(today)


def _list_payment_examples(today: dt.date) -> Iterator[Example]:
    """Yield what payments by card have to cope with: less than Stripe's least amount, krónur, slow banks, disputes."""
    parties: _Businesses = {"seller": NORDLICHT, "buyer": MUELLER, "transfers": (NORDLICHT_BANK,)}
    due = today + dt.timedelta(days=14)
    yield Example(
        Content(currency="EUR", lines=(Line("Kopie", d("1"), d("0.25"), VAT19),), due_date=due, **parties),
        ("german", "below-minimum"),
    )
    yield Example(
        Content(
            currency="ISK",
            lines=(Line("Vortrag in Reykjavík", d("1"), d("84000"), VAT19),),
            due_date=due,
            **parties,
        ),
        ("german", "isk"),
    )
    seminar = Line("Seminar „Angebote schreiben“", d("1"), d("490.00"), VAT19, unit="DAY")
    for tag in ("processing", "disputed"):
        yield Example(Content(currency="EUR", lines=(seminar,), due_date=due, **parties), ("german", tag))


def list_sakura_examples(today: dt.date) -> Iterator[Example]:
    """Yield invoices in Japanese and yen, which have no minor unit; two rates."""
    yield Example(
        Content(
            currency="JPY",
            seller=SAKURA,
            buyer=YAMADA,
            transfers=(SAKURA_BANK,),
            due_date=today + dt.timedelta(days=30),
            lines=(
                Line(
                    "会計システム保守料(月額)",
                    d("1"),
                    d("128000"),
                    JCT10,
                    unit="MON",
                    description="令和8年11月分",
                ),
                Line("現地作業費", d("6.5"), d("9800"), JCT10, unit="HUR"),
                Line("緑茶 詰め合わせ", d("12"), d("1480"), JCT8),
            ),
            notes=("お振込手数料はお客様にてご負担くださいますようお願い申し上げます。",),
        ),
        ("japanese", "zero-decimal"),
    )


def list_pearl_examples(today: dt.date) -> Iterator[Example]:
    """Yield invoices in Arabic, right to left, and dinars with three decimals."""
    yield Example(
        Content(
            currency="BHD",
            seller=PEARL,
            buyer=DANA,
            transfers=(PEARL_BANK,),
            due_date=today + dt.timedelta(days=20),
            lines=(
                Line("لؤلؤ طبيعي، درجة أولى", d("12"), d("184.375"), VAT10),
                Line("تغليف هدايا", d("12"), d("2.250"), VAT10),
                Line("مرتجع: لؤلؤة واحدة", d("-1"), d("184.375"), VAT10),
                Line("Certificate of origin (English)", d("1"), d("15.000"), Tax(TaxCategory.ZERO)),
            ),
            notes=("شكرًا لتعاملكم معنا.",),
        ),
        ("rtl", "three-decimals"),
    )
    yield Example(
        Content(
            currency="KWD",
            seller=PEARL,
            buyer=DANA,
            transfers=(PEARL_BANK,),
            due_date=today + dt.timedelta(days=20),
            lines=(Line("لؤلؤ طبيعي، درجة ثانية", d("3"), d("41.500"), VAT10),),
        ),
        ("rtl", "three-decimals", "kwd"),
    )
