"""The invoices the demo writes itself: one of each kind that a page must be able to show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from ops.seed.businesses import (
    ACME,
    ACME_BANK,
    DANA,
    HARBOUR,
    HARBOUR_BANK,
    MUELLER,
    NORDLICHT,
    NORDLICHT_BANK,
    OAKRIDGE,
    PEARL,
    PEARL_BANK,
    SAKURA,
    SAKURA_BANK,
    WREN,
    YAMADA,
)
from ops.seed.lines import JCT8, JCT10, NO_TAX, SALES, VAT7, VAT10, VAT19, VAT20, d, many
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

# Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari, Thai, the three of Han, and signs.
NINE_SCRIPTS = (
    "Zażółć gęślą jaźń, Straße, œuvre",
    "Τιμολόγιο υπηρεσιών",
    "Счёт за услуги, їжак",
    "فاتورة الخدمات",
    "חשבונית עבור שירותים",
    "सेवाओं का चालान",
    "ใบแจ้งหนี้ค่าบริการ",
    "請求書 发票 發票 청구서 カタカナ",
    "🙂🚀✅",
)


class _Between(TypedDict):
    """What the invoices between the same two businesses share."""

    currency: str
    seller: Party
    buyer: Party
    transfers: tuple[Transfer, ...]


class Ending(StrEnum):
    """What becomes of a seeded invoice after it was written."""

    DRAFT = "draft"
    ISSUED = "issued"
    PARTLY_PAID = "partly-paid"
    PAID = "paid"
    VOID = "void"
    WRITTEN_OFF = "written-off"


class LinkEnding(StrEnum):
    """What becomes of the link to a seeded invoice."""

    OPEN = "open"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Example:
    """One seeded invoice: what it says, how it ends, and the tags that name what is special about it."""

    content: Content
    tags: tuple[str, ...]
    ending: Ending = Ending.ISSUED
    link: LinkEnding = LinkEnding.OPEN


def acme(today: dt.date) -> Iterator[Example]:
    """English, US dollars, Letter paper: the kinds of state and size."""
    oak: _Between = {"currency": "USD", "seller": ACME, "buyer": OAKRIDGE, "transfers": (ACME_BANK,)}
    design = (
        Line("Visitor guide, art direction", d("24"), d("145.00"), SALES, unit="HUR"),
        Line(
            "Map illustration",
            d("1"),
            d("2800.00"),
            SALES,
            description="Seven gardens, two seasons, print and web",
        ),
        Line(
            "Wayfinding signs",
            d("38"),
            d("62.50"),
            SALES,
            unit="C62",
            adjustments=(Adjustment(is_charge=False, percent=d("10"), reason="Volume"),),
        ),
    )
    yield Example(
        Content(
            lines=design,
            purchase_order="PO-2291",
            due_date=today + dt.timedelta(days=9),
            issue_date=today - dt.timedelta(days=21),
            payment_terms="Net 30",
            notes=("Thank you for a lovely project. Files stay in your shared folder for a year.",),
            **oak,
        ),
        ("due", "lines-3", "logo"),
    )
    yield Example(
        Content(
            lines=design[:1],
            issue_date=today - dt.timedelta(days=44),
            due_date=today - dt.timedelta(days=14),
            **oak,
        ),
        ("overdue", "lines-1"),
    )
    yield Example(
        Content(
            lines=design,
            issue_date=today - dt.timedelta(days=35),
            due_date=today - dt.timedelta(days=5),
            **oak,
        ),
        ("paid",),
        ending=Ending.PAID,
    )
    yield Example(
        Content(
            lines=design,
            issue_date=today - dt.timedelta(days=12),
            due_date=today + dt.timedelta(days=18),
            **oak,
        ),
        ("partly-paid",),
        ending=Ending.PARTLY_PAID,
    )
    yield Example(
        Content(
            lines=design[1:],
            issue_date=today - dt.timedelta(days=6),
            due_date=today + dt.timedelta(days=24),
            **oak,
        ),
        ("void",),
        ending=Ending.VOID,
    )
    yield Example(
        Content(
            lines=design[:1],
            issue_date=today - dt.timedelta(days=400),
            due_date=today - dt.timedelta(days=370),
            **oak,
        ),
        ("written-off",),
        ending=Ending.WRITTEN_OFF,
    )
    yield Example(Content(lines=design, **oak), ("draft",), ending=Ending.DRAFT)
    yield Example(Content(lines=design[:2], **oak), ("expired-link",), link=LinkEnding.EXPIRED)
    yield Example(Content(lines=design[:2], **oak), ("revoked-link",), link=LinkEnding.REVOKED)
    yield Example(
        Content(lines=tuple(many(10, "USD", SALES)), due_date=today + dt.timedelta(days=30), **oak),
        ("lines-10",),
    )
    yield Example(
        Content(lines=tuple(many(200, "USD", SALES)), due_date=today + dt.timedelta(days=30), **oak),
        ("lines-200",),
    )
    yield Example(
        Content(lines=tuple(many(1000, "USD", SALES)), due_date=today + dt.timedelta(days=30), **oak),
        ("lines-1000",),
    )
    yield Example(
        Content(
            lines=(Line("Warranty repair, at no charge", d("1"), d("0.00"), SALES),), due_date=today, **oak
        ),
        ("zero", "due-today"),
    )
    yield Example(
        Content(
            lines=(
                Line("Turbine hall, general contract", d("1"), d("98765432109.87"), NO_TAX),
                Line("Retention", d("-1"), d("4938271605.49"), NO_TAX),
            ),
            exemptions=(Exemption(TaxCategory.OUTSIDE_SCOPE, "Not subject to tax"),),
            **oak,
        ),
        ("huge", "negative-lines"),
    )
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    yield Example(
        Content(
            lines=(
                Line(word * 2, d("1"), d("12.00"), SALES, description="https://acme.example/" + "x" * 300),
                Line("<script>alert('x')</script> & \"quotes\" 😀", d("3"), d("4.10"), SALES, note=word),
            ),
            buyer_reference=word,
            notes=(word * 6,),
            **oak,
        ),
        ("long-words", "hostile-text"),
    )
    yield Example(
        Content(
            lines=tuple(Line(text, d("1"), d("10.00"), SALES, description=text) for text in NINE_SCRIPTS),
            notes=(" ".join(NINE_SCRIPTS),),
            **oak,
        ),
        ("nine-scripts",),
    )


def harbour(today: dt.date) -> Iterator[Example]:
    """English, pounds, no logo: tax-inclusive prices, document allowances, prepaid, several rates."""
    wren: _Between = {"currency": "GBP", "seller": HARBOUR, "buyer": WREN, "transfers": (HARBOUR_BANK,)}
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


def nordlicht(today: dt.date) -> Iterator[Example]:
    """German, euros: forty lines, as a machine shop's monthly bill."""
    yield Example(
        Content(
            currency="EUR",
            seller=NORDLICHT,
            buyer=MUELLER,
            transfers=(NORDLICHT_BANK,),
            lines=tuple(many(40, "EUR", VAT19)),
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


def sakura(today: dt.date) -> Iterator[Example]:
    """Japanese content and yen, which have no minor unit; two rates."""
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


def pearl(today: dt.date) -> Iterator[Example]:
    """Arabic, right to left, dinars with three decimals."""
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
