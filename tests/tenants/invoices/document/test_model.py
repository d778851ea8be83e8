from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from tenants.invoices.content import (
    Address,
    Attachment,
    Card,
    Debit,
    Delivery,
    DocumentType,
    Exemption,
    Party,
    TaxCategory,
)
from tests.fakes.document_models import (
    build_content,
    build_document,
)


@pytest.mark.parametrize("kind", list(DocumentType))
def test_every_type_of_document_has_a_title_of_its_own(kind: DocumentType) -> None:
    titles = {build_document(build_content(document_type=each), "de-DE").title for each in DocumentType}
    assert len(titles) == len(DocumentType)
    assert build_document(build_content(document_type=kind)).title.lower().endswith("invoice")


def test_references_dates_remarks_and_attachments_are_said() -> None:
    what = build_content(
        issue_date=dt.date(2026, 3, 1),
        due_date=dt.date(2026, 3, 15),
        delivery_date=dt.date(2026, 2, 27),
        buyer_reference="04011000-12345-34",
        purchase_order="PO-1",
        sales_order="SO-2",
        contract="C-3",
        project="P-4",
        preceding_invoice="R-0",
        payment_terms="14 days net",
        exemptions=(Exemption(TaxCategory.EXEMPT, "Education"), Exemption(TaxCategory.ZERO, "", "VATEX-1")),
        attachments=(Attachment("hours", "Time sheet", "hours.pdf"), Attachment("plain")),
    )
    paper = build_document(what)
    assert [fact.label for fact in paper.details] == [
        "Issued", "Due date", "Delivered", "Your reference", "Purchase order", "Sales order", "Contract", "Project",
        "Refers to invoice",
    ]  # fmt: skip
    assert [(fact.label, fact.value) for fact in paper.remarks] == [
        ("Payment terms", "14 days net"),
        ("Tax note", "Education"),
        ("Tax note", "Exempt from VAT (VATEX-1)."),
        ("Attachment", "Time sheet · hours.pdf"),
        ("Attachment", "plain"),
    ]


@pytest.mark.parametrize(
    ("code", "english", "german"),
    [
        (
            "VATEX-EU-AE",
            "Reverse charge: the recipient owes the VAT.",
            "Steuerschuldnerschaft des Leistungsempfängers.",
        ),
        (
            "vatex-eu-ic",
            "Intra-Community supply, exempt from VAT.",
            "Steuerfreie innergemeinschaftliche Lieferung.",
        ),
        (
            "VATEX-EU-132-1A",
            "Exempt from VAT under Article 132(1)(a) of Directive 2006/112/EC.",
            "Steuerfrei nach Artikel 132(1)(a) der Richtlinie 2006/112/EG.",
        ),
        (
            "VATEX-EU-79-C",
            "Exempt from VAT under Article 79(c) of Directive 2006/112/EC.",
            "Steuerfrei nach Artikel 79(c) der Richtlinie 2006/112/EG.",
        ),
        (
            "VATEX-EU-309",
            "Exempt from VAT under Article 309 of Directive 2006/112/EC.",
            "Steuerfrei nach Artikel 309 der Richtlinie 2006/112/EG.",
        ),
        ("VATEX-FR-FRANCHISE", "Exempt from VAT (VATEX-FR-FRANCHISE).", "Steuerfrei (VATEX-FR-FRANCHISE)."),
    ],
)
def test_the_code_of_an_exemption_is_told_as_a_sentence(code: str, english: str, german: str) -> None:
    what = build_content(
        exemptions=(Exemption(TaxCategory.EXEMPT, "", code), Exemption(TaxCategory.EXEMPT, "", ""))
    )
    for tag, sentence in (("en-GB", english), ("de-DE", german)):
        assert [fact.value for fact in build_document(what, tag).remarks] == [sentence]


def test_ways_to_pay_delivery_and_taxes_elsewhere_are_said() -> None:
    payee = Party(name="Factor Bank", registration="HRB 9")
    what = build_content(
        payment_means=("Card", "Debit"),
        card=Card("4242", "A. Silva"),
        debit=Debit("M-1", "DE98ZZZ09999999999", "DE02120300000000202051"),
        payee=payee,
        delivery=Delivery("Plant 2", "Gate 4", Address(city="Wien", postal_code="1010", country="AT")),
        tax_representative=Party(name="Vertreter GmbH", vat_id="DE111"),
        tax_currency="CZK",
        tax_in_tax_currency=Decimal("480.5"),
    )
    assert [(fact.label, fact.value) for fact in build_document(what).remarks] == [
        ("Means of payment", "Card · Debit"),
        ("Paid by card", "•••• 4242 · A. Silva"),
        ("Direct debit", "Mandate M-1\nCreditor DE98ZZZ09999999999\nAccount DE02 1203 0000 0000 2020 51"),
        ("Payable to", "Factor Bank\nHRB 9"),
        ("Delivered to", "Plant 2\n1010 Wien\nAustria\nGate 4"),
        ("Tax representative", "Vertreter GmbH\nDE111"),
        ("Tax in CZK", "480.50"),
    ]
