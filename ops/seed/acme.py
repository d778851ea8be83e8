"""The invoices of Acme Studio: one in each status and of each size."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TypedDict

from ops.seed.businesses import (
    ACME,
    ACME_BANK,
    OAKRIDGE,
)
from ops.seed.example import Example, SeededLinkState, SeededStatus
from ops.seed.lines import NO_TAX, SALES, build_lines, d
from tenants.invoices.content import (
    Adjustment,
    Content,
    Exemption,
    Line,
    Party,
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


class _Parties(TypedDict):
    """The content that invoices between the same two businesses share."""

    currency: str
    seller: Party
    buyer: Party
    transfers: tuple[Transfer, ...]


def list_acme_examples(today: dt.date) -> Iterator[Example]:
    """Yield invoices in English and US dollars on Letter paper: one in each status and of each size."""
    oak: _Parties = {"currency": "USD", "seller": ACME, "buyer": OAKRIDGE, "transfers": (ACME_BANK,)}
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
        ("due", "lines-3", "logo", "write-link"),
    )
    yield Example(
        Content(
            lines=design[:1],
            issue_date=today - dt.timedelta(days=44),
            due_date=today - dt.timedelta(days=14),
            **oak,
        ),
        ("overdue", "lines-1", "write-otp"),
    )
    yield Example(
        Content(
            lines=design,
            issue_date=today - dt.timedelta(days=35),
            due_date=today - dt.timedelta(days=5),
            **oak,
        ),
        ("paid",),
        status=SeededStatus.PAID,
    )
    yield Example(
        Content(
            lines=design,
            issue_date=today - dt.timedelta(days=12),
            due_date=today + dt.timedelta(days=18),
            **oak,
        ),
        ("partly-paid", "write-customer"),
        status=SeededStatus.PARTLY_PAID,
    )
    yield Example(
        Content(
            lines=design[1:],
            issue_date=today - dt.timedelta(days=6),
            due_date=today + dt.timedelta(days=24),
            **oak,
        ),
        ("void",),
        status=SeededStatus.VOID,
    )
    yield Example(
        Content(
            lines=design[:1],
            issue_date=today - dt.timedelta(days=400),
            due_date=today - dt.timedelta(days=370),
            **oak,
        ),
        ("written-off", "write-closed"),
        status=SeededStatus.WRITTEN_OFF,
    )
    yield Example(Content(lines=design, **oak), ("draft",), status=SeededStatus.DRAFT)
    yield Example(Content(lines=design[:2], **oak), ("expired-link",), link_state=SeededLinkState.EXPIRED)
    yield Example(Content(lines=design[:2], **oak), ("revoked-link",), link_state=SeededLinkState.REVOKED)
    yield Example(
        Content(lines=tuple(build_lines(10, "USD", SALES)), due_date=today + dt.timedelta(days=30), **oak),
        ("lines-10", "write-otp-totp"),
    )
    yield Example(
        Content(lines=tuple(build_lines(200, "USD", SALES)), due_date=today + dt.timedelta(days=30), **oak),
        ("lines-200",),
    )
    yield Example(
        Content(lines=tuple(build_lines(1000, "USD", SALES)), due_date=today + dt.timedelta(days=30), **oak),
        ("lines-1000",),
    )
    yield Example(
        Content(
            lines=(Line("Warranty repair, at no charge", d("1"), d("0.00"), SALES),), due_date=today, **oak
        ),
        ("zero", "due-today", "write-customer-totp"),
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
