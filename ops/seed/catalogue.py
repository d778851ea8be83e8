"""The invoices the demo writes itself: one of each kind that a page must be able to show."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypedDict

from tenants.invoices.content import (
    Address,
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


def d(text: str) -> Decimal:
    """A Decimal, short enough for tables of lines."""
    return Decimal(text)


VAT19 = Tax(TaxCategory.STANDARD, d("19"))
VAT7 = Tax(TaxCategory.STANDARD, d("7"))
VAT20 = Tax(TaxCategory.STANDARD, d("20"))
SALES = Tax(TaxCategory.STANDARD, d("8.875"))
JCT10 = Tax(TaxCategory.STANDARD, d("10"))
JCT8 = Tax(TaxCategory.STANDARD, d("8"))
VAT10 = Tax(TaxCategory.STANDARD, d("10"))
NO_TAX = Tax(TaxCategory.OUTSIDE_SCOPE)

ACME = Party(
    name="Acme Studio LLC",
    address=Address(
        street="548 Market Street",
        additional="Suite 320",
        city="San Francisco",
        subdivision="CA",
        postal_code="94104",
        country="US",
    ),
    tax_number="94-3216549",
    contact_name="Dana Whitfield",
    phone="+1 415 555 0142",
    email="billing@acme.example",
)
ACME_BANK = Transfer(
    account="000123456789", holder="Acme Studio LLC", bic="ACMEUS66", bank="First Pacific Bank"
)
OAKRIDGE = Party(
    name="Oakridge Botanical Garden",
    address=Address(
        street="27 Fern Hill Road", city="Portland", subdivision="OR", postal_code="97205", country="US"
    ),
    contact_name="Ana Silva",
    email="ana.silva@oakridge.example",
)
HARBOUR = Party(
    name="Harbour & Lane Joinery Ltd",
    address=Address(street="4 Chandlers Wharf", city="Bristol", postal_code="BS1 6UX", country="GB"),
    vat_id="GB123456789",
    registration="07654321",
    contact_name="Tom Lane",
    phone="+44 117 496 0123",
    email="accounts@harbourlane.example",
    legal_note="Registered in England and Wales no. 07654321",
)
HARBOUR_BANK = Transfer(
    account="GB33BUKB20201555555555", holder="Harbour & Lane Joinery Ltd", bic="BUKBGB22", bank="Severn Bank"
)
WREN = Party(
    name="Wren Coffee Roasters",
    address=Address(street="18 Old Market", city="Bath", postal_code="BA1 5LE", country="GB"),
    contact_name="Priya Nair",
    email="priya@wren.example",
)
NORDLICHT = Party(
    name="Nordlicht Seminare GmbH",
    address=Address(street="Speicherstraße 14", city="Hamburg", postal_code="20457", country="DE"),
    vat_id="DE123456789",
    registration="HRB 123456",
    contact_name="Jonas Petersen",
    phone="+49 40 555 0190",
    email="rechnung@nordlicht.example",
    legal_note="Geschäftsführerin: Frauke Petersen · Amtsgericht Hamburg · Sitz der Gesellschaft: Hamburg",
)
NORDLICHT_BANK = Transfer(
    account="DE02120300000000202051",
    holder="Nordlicht Seminare GmbH",
    bic="BYLADEM1001",
    bank="Deutsche Kreditbank",
)
MUELLER = Party(
    name="Müller & Söhne Maschinenbau KG",
    address=Address(street="Am Gewerbepark 3", city="Göttingen", postal_code="37079", country="DE"),
    vat_id="DE987654321",
    contact_name="Sabine Köhler",
    email="s.koehler@mueller.example",
)
SAKURA = Party(
    name="さくら商会株式会社",
    address=Address(street="丸の内1丁目9番2号", city="東京都千代田区", postal_code="100-0005", country="JP"),
    tax_number="T1234567890123",
    contact_name="佐藤 花子",
    phone="+81 3 5555 0134",
    email="keiri@sakura.example",
)
SAKURA_BANK = Transfer(account="普通 1234567", holder="サクラシヨウカイ(カ", bank="みずほ銀行 丸の内支店")
YAMADA = Party(
    name="株式会社山田製作所",
    address=Address(street="梅田3丁目1番1号", city="大阪府大阪市北区", postal_code="530-0001", country="JP"),
    contact_name="山田 太郎",
    email="yamada@seisakusho.example",
)
PEARL = Party(
    name="شركة لؤلؤة الخليج للتجارة",
    address=Address(street="شارع الحكومة ١٢", city="المنامة", postal_code="304", country="BH"),
    vat_id="220000123400002",
    contact_name="ليلى المنصور",
    phone="+973 1755 0123",
    email="billing@pearl.example",
)
PEARL_BANK = Transfer(
    account="BH67BMAG00001299123456", holder="شركة لؤلؤة الخليج للتجارة", bic="BMAGBHBM", bank="بنك المنامة"
)
DANA = Party(
    name="مؤسسة دانة للضيافة",
    address=Address(street="طريق الملك فيصل ٤٥", city="المنامة", postal_code="315", country="BH"),
    contact_name="خالد العريض",
    email="khalid@dana.example",
)


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
                Line("Certificate of origin (English)", d("1"), d("15.000"), Tax(TaxCategory.ZERO)),
            ),
            notes=("شكرًا لتعاملكم معنا.",),
        ),
        ("rtl", "three-decimals"),
    )


NAMES = (
    "Bearing, deep groove 6204-2RS",
    "Hydraulic hose, 2 m",
    "Seal kit",
    "Machine oil ISO VG 46",
    "Hex bolt M12 × 60, A4",
    "Linear guide rail, 1,200 mm",
    "Servo drive, commissioning",
    "Laser cutting, 4 mm sheet",
    "Powder coating RAL 7016",
    "Assembly, on site",
)
UNITS = ("C62", "C62", "SET", "LTR", "C62", "C62", "HUR", "MTR", "MTK", "HUR")


def many(count: int, currency: str, tax: Tax) -> Iterator[Line]:
    """`count` plausible lines, always the same ones."""
    for index in range(count):
        kind = index % len(NAMES)
        yield Line(
            name=NAMES[kind],
            quantity=Decimal(1 + index * 7 % 23),
            unit_price=Decimal(395 + index * 1327 % 48_000) / 100,
            tax=tax,
            unit=UNITS[kind],
            item_number=f"{currency}-{1000 + index}",
            description="Batch tested, certificate enclosed" if index % 9 == 4 else "",
        )
