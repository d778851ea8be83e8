"""The published invoices come to what they state, and every fact of theirs is kept."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from xml.etree import ElementTree as ET

import msgspec
import pytest

from tenants.invoices.content import (
    Address,
    Attachment,
    Card,
    Content,
    Delivery,
    DocumentType,
    Exemption,
    Party,
    Period,
    TaxCategory,
    Transfer,
)
from tenants.invoices.ubl import check_totals, parse
from tests.fakes.ubl_writer import NAMES, SPACES, parse_tree, read_published

# Number of lines, and the amount due: so that a file that was read empty cannot pass.
PUBLISHED = {
    "01.01a": (2, "336.90"),
    "01.03a": (2, "182.20"),
    "01.05a": (4, "10555.30"),
    "01.06a": (7, "21701.70"),
    "01.12a": (5, "305.37"),
    "01.13a": (11, "6342.70"),
    "01.18a": (4, "10555.30"),
    "02.01a": (2, "12829.69"),
    "02.05a": (23, "2576.41"),
    "03.02a": (4, "10686.20"),
    "03.03a": (4, "10686.20"),
    "03.06a": (4, "1804.00"),
}


def stated(root: ET.Element, path: str, default: str | None = None) -> Decimal:
    """Read a stated value with nothing of the product's."""
    return Decimal((root.findtext(path, default, SPACES) or "").strip())


def test_every_published_invoice_is_named_here() -> None:
    assert set(NAMES) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_invoice_comes_to_what_it_states(name: str) -> None:
    document = read_published(name)
    root = parse_tree(document)

    drawn = check_totals(parse(document))

    nets = [stated(line, "cbc:LineExtensionAmount") for line in root.findall("cac:InvoiceLine", SPACES)]
    assert [line.net.amount for line in drawn.lines] == nets
    assert len(nets) == PUBLISHED[name][0]
    [taxes] = [
        each for each in root.findall("cac:TaxTotal", SPACES) if each.findall("cac:TaxSubtotal", SPACES)
    ]
    assert [
        (group.tax.category.value, group.tax.rate, group.base.amount, group.amount.amount)
        for group in drawn.subtotals
    ] == [
        (
            group.findtext("cac:TaxCategory/cbc:ID", None, SPACES),
            stated(group, "cac:TaxCategory/cbc:Percent"),
            stated(group, "cbc:TaxableAmount"),
            stated(group, "cbc:TaxAmount"),
        )
        for group in taxes.findall("cac:TaxSubtotal", SPACES)
    ]
    assert drawn.tax_total.amount == stated(taxes, "cbc:TaxAmount")
    total = "cac:LegalMonetaryTotal/cbc:"
    assert drawn.line_total.amount == stated(root, f"{total}LineExtensionAmount")
    assert drawn.allowance_total.amount == stated(root, f"{total}AllowanceTotalAmount", "0")
    assert drawn.charge_total.amount == stated(root, f"{total}ChargeTotalAmount", "0")
    assert drawn.tax_exclusive.amount == stated(root, f"{total}TaxExclusiveAmount")
    assert drawn.tax_inclusive.amount == stated(root, f"{total}TaxInclusiveAmount")
    assert drawn.prepaid.amount == stated(root, f"{total}PrepaidAmount", "0")
    assert drawn.rounding.amount == stated(root, f"{total}PayableRoundingAmount", "0")
    assert drawn.payable.amount == stated(root, f"{total}PayableAmount") == Decimal(PUBLISHED[name][1])


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_a_published_invoice_says_can_be_stored_and_read_again(name: str) -> None:
    content = parse(read_published(name)).content

    assert msgspec.json.decode(msgspec.json.encode(content), type=Content, strict=True) == content


@pytest.mark.parametrize("name", PUBLISHED)
def test_no_text_a_reader_needs_is_lost(name: str) -> None:
    """Every text of the document is found again in what was read, but for those named."""
    root = parse_tree(read_published(name))
    left_out = {
        "CustomizationID",
        "ProfileID",
        "EndpointID",
        "NetworkID",
        "ChargeIndicator",
        "EmbeddedDocumentBinaryObject",
    }
    kept = " ".join(str(msgspec.to_builtins(parse(read_published(name)))).replace("\\n", " ").split())
    for scheme in root.iter(f"{{{SPACES['cac']}}}TaxScheme"):
        scheme.clear()
    for element in root.iter():
        text = re.sub("^#(ADU|AAC)#", "", " ".join((element.text or "").split()))
        of_name = element.tag.rpartition("}")[2]
        is_number = text.replace(".", "").replace("-", "").isdigit()
        if of_name not in left_out and not is_number:
            assert text in kept, (of_name, text)


def test_a_note_loses_its_subject_code_and_nothing_else() -> None:
    content = parse(read_published("03.06a")).content
    assert content.notes == (
        "Rechnung enthält 100 EUR (Umsatz)Steuer auf Altteile gem. Abschn. 10.5 Abs. 3 UStAE",
    )


def test_a_corrected_invoice_names_the_one_before_and_both_accounts() -> None:
    read = parse(read_published("01.18a"))

    assert read.number == "PRG1502112"
    assert read.content.document_type is DocumentType.CORRECTED
    assert read.content.preceding_invoice == "PRG1502168"
    assert read.content.period == Period(dt.date(2015, 4, 20), dt.date(2015, 4, 24))
    assert read.content.project == "PR456789"
    assert read.content.transfers == (
        Transfer(account="DE79000000001234567890"),
        Transfer(account="DE16000000002345678901"),
    )
    assert read.content.payment_terms == "14 Tage"
    assert read.content.issue_date == dt.date(2015, 4, 24)
    assert read.content.due_date is None
    assert read.content.delivery == Delivery(
        name="Schulungsanbieter", address=Address(city="Schulungsort", postal_code="12345", country="DE")
    )


def test_the_fullest_invoice_keeps_all_it_says() -> None:
    content = parse(read_published("02.01a")).content

    assert content.seller == Party(
        name="[Seller name]",
        trading_name="[Seller trading name]",
        address=Address(
            "[Seller address line 1]", "[Seller address line 2]", "", "[Seller city]", "12345", "", "DE"
        ),
        vat_id="ATU123456789",
        tax_number="123/456/789",
        registration="5923183878011",
        legal_note="Amtsgericht […], Geschäftsführer: […], Sitz der Gesellschaft […], Aufsichtsratvorsitzender: […]",
        identifier="4721480668400",
        contact_name="Tim Tester",
        phone="012 3456789",
        email="tim.tester@test.com",
    )
    assert content.buyer.address.line == "[Buyer address line 3]"
    assert content.buyer.vat_id == "DE12345ABC"
    assert content.payee == Party(name="[Payee name]", identifier="74")
    assert content.tax_representative == Party(
        name="[Seller tax representative name]", address=Address(country="DE"), vat_id="DE124567"
    )
    assert content.delivery_date == content.tax_point_date == dt.date(2018, 4, 13)
    assert content.delivery == Delivery(
        name="[Deliver to party name]",
        location="68",
        address=Address("[Deliver to street]", "4. OG", "", "[Deliver to city]", "98765", "Bayern", "DE"),
    )
    assert (content.tax_currency, content.tax_in_tax_currency) == ("GBP", Decimal("2048.44"))
    assert content.transfers == (
        Transfer(
            account="DE79000000001234567890",
            holder="[Payment account name]",
            bic="[BIC]",
            reference="Deb. 12345 / Fact. 9876543",
        ),
    )
    assert content.exemptions == (Exemption(TaxCategory.EXEMPT, "", "VATEX-EU-132-1A"),)
    assert content.tender == "ANG987654321"
    assert content.attachments == (
        Attachment(
            "01_15_Anhang_01.pdf", "Aufschlüsselung der einzelnen Leistungspositionen", "01_15_Anhang_01.pdf"
        ),
    )
    assert [(one.is_charge, one.percent, one.reason_code) for one in content.adjustments] == [
        (True, Decimal(0), "TAC"),
        (False, Decimal(0), "102"),
    ]
    line = content.lines[0]
    assert line.period == Period(dt.date(2016, 1, 1), dt.date(2016, 12, 31))
    assert (line.order_line, line.item_number, line.classifications) == ("6171175.1", "1034", ("0721-880X",))
    assert line.note.startswith("Die letzte Lieferung")


def test_an_invoice_paid_by_card_names_its_last_digits() -> None:
    content = parse(read_published("03.02a")).content

    assert content.card == Card(number="41234", holder="[Payment card holder name]")
    assert content.transfers == ()


def test_an_attachment_elsewhere_keeps_its_web_address() -> None:
    content = parse(read_published("03.03a")).content

    assert content.attachments == (
        Attachment(
            identifier="01_15_Anhang_01",
            description="Aufschlüsselung der einzelnen Leistungspositionen",
            url="https://xeinkauf.de/xrechnung/",
        ),
        Attachment(
            identifier="01_15_Anhang_02",
            description="Gesamtübersicht der Leistungspositionen",
            url="https://xeinkauf.de/xrechnung/",
        ),
    )


def test_a_price_keeps_its_discount_its_digits_and_its_sign() -> None:
    with_discount = parse(read_published("03.06a")).content.lines
    assert [line.price_discount for line in with_discount] == [Decimal(10)] * 4
    assert with_discount[2].quantity == Decimal(-1)
    assert parse(read_published("02.05a")).content.lines[8].unit_price == Decimal("41.5645")


def test_the_words_for_a_means_of_payment_are_kept() -> None:
    assert parse(read_published("03.06a")).content.payment_means == ("SEPA-Überweisung",)


def test_an_electronic_address_stands_in_for_a_missing_contact() -> None:
    assert parse(read_published("01.06a")).content.buyer.email == "buyer@info.de"
