"""What an invoice must say it says once, in a form we understand; else the rule is named."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tenants.invoices.bounds import MAX_LINES, MAX_REPETITIONS
from tenants.invoices.content import DocumentType
from tenants.invoices.ubl import UblRefused, check_totals, parse
from tenants.invoices.ubl.read import strip_subject_code
from tests.fakes.ubl_writer import (
    SPACES,
    append_elements,
    change_texts,
    parse_tree,
    read_published,
    set_attribute,
    write_tree,
)

TOTAL = "cac:LegalMonetaryTotal/cbc:"
GROUP = "cac:TaxTotal/cac:TaxSubtotal"
LINE = "cac:InvoiceLine[1]"
NUMBERS = (f"{LINE}/cbc:InvoicedQuantity", f"{TOTAL}PayableAmount", f"{GROUP}/cac:TaxCategory/cbc:Percent")
SELLER = "cac:AccountingSupplierParty/cac:Party"
BUYER = "cac:AccountingCustomerParty/cac:Party"


def find_broken_rule(document: bytes) -> str:
    with pytest.raises(UblRefused) as refused:
        parse(document)
    assert refused.value.message.endswith(f"({refused.value.data['rule']})")
    return str(refused.value.data["rule"])


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("BR-02", "cbc:ID"),
        ("BR-03", "cbc:IssueDate"),
        ("BR-04", "cbc:InvoiceTypeCode"),
        ("BR-05", "cbc:DocumentCurrencyCode"),
        ("BR-06", "cac:AccountingSupplierParty"),
        ("BR-06", f"{SELLER}/cac:PartyLegalEntity/cbc:RegistrationName"),
        ("BR-07", "cac:AccountingCustomerParty"),
        ("BR-07", f"{BUYER}/cac:PartyLegalEntity/cbc:RegistrationName"),
        ("BR-08", f"{SELLER}/cac:PostalAddress"),
        ("BR-09", f"{SELLER}/cac:PostalAddress/cac:Country"),
        ("BR-10", f"{BUYER}/cac:PostalAddress"),
        ("BR-11", f"{BUYER}/cac:PostalAddress/cac:Country/cbc:IdentificationCode"),
        ("BR-12", "cac:LegalMonetaryTotal"),
        ("BR-12", f"{TOTAL}LineExtensionAmount"),
        ("BR-13", f"{TOTAL}TaxExclusiveAmount"),
        ("BR-14", f"{TOTAL}TaxInclusiveAmount"),
        ("BR-15", f"{TOTAL}PayableAmount"),
        ("BR-17", "cac:PayeeParty/cac:PartyName"),
        ("BR-18", "cac:TaxRepresentativeParty/cac:PartyName/cbc:Name"),
        ("BR-19", "cac:TaxRepresentativeParty/cac:PostalAddress"),
        ("BR-20", "cac:TaxRepresentativeParty/cac:PostalAddress/cac:Country"),
        ("BR-21", f"{LINE}/cbc:ID"),
        ("BR-22", f"{LINE}/cbc:InvoicedQuantity"),
        ("BR-24", f"{LINE}/cbc:LineExtensionAmount"),
        ("BR-25", f"{LINE}/cac:Item"),
        ("BR-25", f"{LINE}/cac:Item/cbc:Name"),
        ("BR-26", f"{LINE}/cac:Price"),
        ("BR-26", f"{LINE}/cac:Price/cbc:PriceAmount"),
        ("BR-31", "cac:AllowanceCharge[2]/cbc:Amount"),
        ("BR-32", "cac:AllowanceCharge[2]/cac:TaxCategory"),
        ("BR-36", "cac:AllowanceCharge[1]/cbc:Amount"),
        ("BR-37", "cac:AllowanceCharge[1]/cac:TaxCategory/cbc:Percent"),
        ("BR-45", f"{GROUP}/cbc:TaxableAmount"),
        ("BR-46", f"{GROUP}/cbc:TaxAmount"),
        ("BR-47", f"{GROUP}/cac:TaxCategory"),
        ("BR-48", f"{GROUP}/cac:TaxCategory/cbc:Percent"),
        ("BR-49", "cac:PaymentMeans/cbc:PaymentMeansCode"),
        ("BR-50", "cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID"),
        ("BR-52", "cac:AdditionalDocumentReference/cbc:ID"),
        ("BR-53", "cac:TaxTotal[2]"),
        ("BR-56", "cac:TaxRepresentativeParty/cac:PartyTaxScheme"),
        ("BR-57", "cac:Delivery/cac:DeliveryLocation/cac:Address/cac:Country"),
        ("BR-CO-04", f"{LINE}/cac:Item/cac:ClassifiedTaxCategory"),
        ("BR-CO-04", f"{LINE}/cac:Item/cac:ClassifiedTaxCategory/cbc:Percent"),
        ("BR-CO-14", "cac:TaxTotal[1]/cbc:TaxAmount"),
        ("BR-CO-18", "cac:TaxTotal[1]"),
    ],
)
def test_what_is_missing_is_named(rule: str, path: str) -> None:
    assert find_broken_rule(change_texts(read_published("02.01a"), {path: None})) == rule


def test_an_invoice_without_lines_is_none() -> None:
    assert (
        find_broken_rule(change_texts(read_published("02.01a"), {"cac:InvoiceLine[2]": None, LINE: None}))
        == "BR-16"
    )


def test_an_empty_or_invisible_text_is_missing() -> None:
    assert find_broken_rule(change_texts(read_published("02.01a"), {"cbc:ID": " \n "})) == "BR-02"
    assert (
        find_broken_rule(change_texts(read_published("02.01a"), {f"{LINE}/cac:Item/cbc:Name": "\u202e"}))
        == "BR-25"
    )


@pytest.mark.parametrize(
    "path",
    [
        "cbc:ID",
        "cbc:IssueDate",
        "cbc:DocumentCurrencyCode",
        "cbc:BuyerReference",
        "cac:LegalMonetaryTotal",
        f"{TOTAL}PayableAmount",
        f"{TOTAL}PrepaidAmount",
        "cac:AccountingSupplierParty",
        f"{SELLER}/cac:PartyTaxScheme",
        f"{BUYER}/cac:PostalAddress",
        f"{GROUP}/cbc:TaxAmount",
        f"{GROUP}/cac:TaxCategory",
        "cac:AllowanceCharge/cbc:Amount",
        "cac:AllowanceCharge/cac:TaxCategory",
        "cac:Delivery",
        f"{LINE}/cbc:LineExtensionAmount",
        f"{LINE}/cbc:InvoicedQuantity",
        f"{LINE}/cac:Item/cac:ClassifiedTaxCategory",
        f"{LINE}/cac:Price",
        f"{LINE}/cac:Price/cbc:PriceAmount",
    ],
)
def test_what_is_said_twice_is_refused(path: str) -> None:
    root = parse_tree(read_published("02.01a"))
    parent_path = path.rpartition("/")[0]
    parent = root.find(parent_path or ".", SPACES)
    found = root.find(path, SPACES)
    assert parent is not None
    assert found is not None
    parent.append(found)

    assert find_broken_rule(write_tree(root)) == "PORTAL-ONCE"


def test_a_second_total_of_taxes_in_the_same_currency_is_refused() -> None:
    document = append_elements(
        read_published("01.05a"),
        ".",
        '<cac:TaxTotal><cbc:TaxAmount currencyID="EUR">1</cbc:TaxAmount></cac:TaxTotal>',
    )
    assert find_broken_rule(document) == "PEPPOL-EN16931-R053"


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "INF", "-Infinity", "1e2", "1E400", "1e-400", "0x10", "1,00", "1 000", "1_000", "१२", "²", "--1",
        "+", ".", "", " ", "1.2.3", "9" * 16, "9" * 5_000, "0." + "0" * 20 + "1",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", [f"{LINE}/cbc:InvoicedQuantity", f"{TOTAL}PayableAmount", f"{GROUP}/cac:TaxCategory/cbc:Percent"]
)
def test_what_is_no_decimal_number_is_refused(text: str, path: str) -> None:
    assert find_broken_rule(change_texts(read_published("02.01a"), {path: text})) == "PORTAL-NUMBER"


@pytest.mark.parametrize("text", ["+12829.69", " 12829.690\n", "0000012829.69"])
def test_a_decimal_number_may_be_written_in_all_its_forms(text: str) -> None:
    assert (
        check_totals(
            parse(change_texts(read_published("02.01a"), {f"{TOTAL}PayableAmount": text}))
        ).payable.minor
        == 1282969
    )


def test_a_negative_zero_is_zero() -> None:
    read = parse(change_texts(read_published("02.01a"), {f"{TOTAL}PrepaidAmount": "-0.00"}))
    assert (str(read.content.prepaid), str(read.stated.prepaid)) == ("0", "0.00")


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("BR-CL-01", {"cbc:InvoiceTypeCode": "381"}),
        ("BR-CL-04", {"cbc:DocumentCurrencyCode": "EURO"}),
        ("BR-CL-04", {"cbc:DocumentCurrencyCode": "eur"}),
        ("BR-CL-05", {"cbc:TaxCurrencyCode": "XXQ"}),
        ("BR-CL-14", {f"{BUYER}/cac:PostalAddress/cac:Country/cbc:IdentificationCode": "Germany"}),
        ("BR-CL-18", {f"{LINE}/cac:Item/cac:ClassifiedTaxCategory/cbc:ID": "B"}),
        ("BR-51", {}),
        ("PEPPOL-EN16931-F001", {"cbc:IssueDate": "2016-02-30"}),
        ("PEPPOL-EN16931-F001", {"cbc:IssueDate": "04.04.2016"}),
        ("PEPPOL-EN16931-F001", {"cbc:IssueDate": "2016-04-04Z"}),
        ("PEPPOL-EN16931-F001", {"cbc:DueDate": "9999-12-31"}),
        ("PEPPOL-EN16931-F001", {"cbc:DueDate": "0001-01-01"}),
        ("PEPPOL-EN16931-F001", {"cbc:DueDate": "２０２６-01-01"}),
        ("PEPPOL-EN16931-R005", {"cbc:TaxCurrencyCode": "EUR", "cac:TaxTotal[2]": None}),
        ("PEPPOL-EN16931-R055", {"cac:TaxTotal[2]/cbc:TaxAmount": "-1"}),
        ("PORTAL-TEXT", {"cbc:ID": "9" * 101}),
        ("PORTAL-TEXT", {f"{LINE}/cac:Item/cbc:Name": "x" * 1_001}),
        ("PORTAL-TEXT", {"cbc:Note": "x" * 20_001}),
        ("PORTAL-UNSUPPORTED", {f"{LINE}/cac:Item/cac:ClassifiedTaxCategory/cac:TaxScheme/cbc:ID": "GST"}),
        ("PORTAL-XML", {"cac:AllowanceCharge/cbc:ChargeIndicator": "yes"}),
        ("BR-30", {f"{LINE}/cac:InvoicePeriod/cbc:EndDate": "2015-12-31"}),
    ],
)
def test_what_has_no_meaning_here_is_refused(rule: str, changes: Mapping[str, str | None]) -> None:
    document = read_published("02.01a")
    if not changes:
        document = change_texts(
            read_published("03.02a"),
            {"cac:PaymentMeans/cac:CardAccount/cbc:PrimaryAccountNumberID": "4111111111111111"},
        )
    assert find_broken_rule(change_texts(document, changes)) == rule


def test_an_invoice_period_that_ends_before_it_starts_is_refused() -> None:
    assert (
        find_broken_rule(
            change_texts(read_published("01.18a"), {"cac:InvoicePeriod/cbc:EndDate": "2015-04-19"})
        )
        == "BR-29"
    )


@pytest.mark.parametrize(
    ("rule", "path", "value"),
    [
        ("PEPPOL-EN16931-R051", f"{TOTAL}PayableAmount", "USD"),
        ("PEPPOL-EN16931-R051", f"{LINE}/cac:Price/cbc:PriceAmount", "GBP"),
        ("PEPPOL-EN16931-R051", "cac:AllowanceCharge/cbc:BaseAmount", "GBP"),
        ("PEPPOL-EN16931-R051", f"{GROUP}/cbc:TaxAmount", "eur"),
        ("BR-CL-03", f"{LINE}/cbc:LineExtensionAmount", None),
    ],
)
def test_all_amounts_are_in_the_currency_of_the_invoice(rule: str, path: str, value: str | None) -> None:
    assert find_broken_rule(set_attribute(read_published("02.01a"), path, "currencyID", value)) == rule


@pytest.mark.parametrize(
    ("rule", "value"), [("BR-23", None), ("BR-23", ""), ("BR-CL-23", "piece"), ("BR-CL-23", "<b>")]
)
def test_a_quantity_has_a_unit(rule: str, value: str | None) -> None:
    assert (
        find_broken_rule(
            set_attribute(read_published("02.01a"), f"{LINE}/cbc:InvoicedQuantity", "unitCode", value)
        )
        == rule
    )


@pytest.mark.parametrize(
    ("rule", "path", "xml"),
    [
        ("PORTAL-UNSUPPORTED", ".", "<cac:WithholdingTaxTotal/>"),
        ("PORTAL-UNSUPPORTED", LINE, "<cac:SubInvoiceLine/>"),
        (
            "PORTAL-UNSUPPORTED",
            f"{LINE}/cac:Price",
            "<cbc:OrderableUnitFactorRate>2</cbc:OrderableUnitFactorRate>",
        ),
        ("PEPPOL-EN16931-R130", f"{LINE}/cac:Price", '<cbc:BaseQuantity unitCode="KGM">1</cbc:BaseQuantity>'),
        ("PORTAL-XML", "cbc:ID", "<cbc:Name>within</cbc:Name>"),
        (
            "BR-54",
            f"{LINE}/cac:Item",
            "<cac:AdditionalItemProperty/>",
        ),
        ("BR-55", ".", "<cac:BillingReference/>"),
        (
            "PORTAL-UNSUPPORTED",
            "cac:AdditionalDocumentReference/cac:Attachment",
            "<cac:ExternalReference><cbc:URI>javascript:alert(1)</cbc:URI></cac:ExternalReference>",
        ),
        (
            "PEPPOL-EN16931-R054",
            "cac:TaxTotal[2]",
            "<cac:TaxSubtotal/>",
        ),
    ],
)
def test_what_would_change_the_meaning_is_refused(rule: str, path: str, xml: str) -> None:
    assert find_broken_rule(append_elements(read_published("02.01a"), path, xml)) == rule


def test_more_lines_than_an_invoice_holds_are_refused() -> None:
    document = read_published("01.18a").replace(
        b"</ubl:Invoice>", b"<cac:InvoiceLine/>" * MAX_LINES + b"</ubl:Invoice>"
    )
    assert find_broken_rule(document) == "PORTAL-LIMIT"


@pytest.mark.parametrize(
    ("parent", "element"),
    [
        (".", "<cbc:Note>x</cbc:Note>"),
        (".", "<cac:PaymentMeans/>"),
        (".", "<cac:AdditionalDocumentReference/>"),
        (".", "<cac:BillingReference/>"),
        (f"{LINE}/cac:Item", "<cac:AdditionalItemProperty/>"),
        (f"{LINE}/cac:Item", "<cbc:Description>x</cbc:Description>"),
        (GROUP.partition("/")[0], "<cac:TaxSubtotal/>"),
    ],
)
def test_what_is_said_more_often_than_an_invoice_says_it_is_refused(parent: str, element: str) -> None:
    assert (
        find_broken_rule(append_elements(read_published("02.01a"), parent, element * (MAX_REPETITIONS + 1)))
        == "PORTAL-LIMIT"
    )


def test_an_invoice_that_says_too_much_in_all_is_refused() -> None:
    note = "<cbc:Note>" + "x" * 19_000 + "</cbc:Note>"
    assert parse(append_elements(read_published("02.01a"), ".", note * 100)).content.notes[-1] == "x" * 19_000
    assert find_broken_rule(append_elements(read_published("02.01a"), ".", note * 115)) == "PORTAL-LIMIT"


def test_elements_of_other_namespaces_say_nothing() -> None:
    document = read_published("01.18a").replace(
        b"<cac:TaxTotal>", b'<TaxTotal xmlns="urn:other"><TaxAmount>1</TaxAmount></TaxTotal><cac:TaxTotal>'
    )
    assert parse(document) == parse(read_published("01.18a"))


def test_a_total_in_another_namespace_is_a_missing_one() -> None:
    document = read_published("01.18a").replace(b"cbc:PayableAmount", b"cac:PayableAmount")
    assert find_broken_rule(document) == "BR-15"


def test_parts_of_an_item_and_of_a_line_are_kept() -> None:
    document = append_elements(
        append_elements(
            read_published("01.05a"),
            f"{LINE}/cac:Item",
            "<cac:BuyersItemIdentification><cbc:ID>B-7</cbc:ID></cac:BuyersItemIdentification>"
            "<cac:StandardItemIdentification><cbc:ID>4012345678901</cbc:ID></cac:StandardItemIdentification>"
            "<cac:OriginCountry><cbc:IdentificationCode>NO</cbc:IdentificationCode></cac:OriginCountry>"
            "<cac:AdditionalItemProperty><cbc:Name>Colour</cbc:Name><cbc:Value>Black</cbc:Value>"
            "</cac:AdditionalItemProperty>",
        ),
        LINE,
        "<cbc:AccountingCost>4711</cbc:AccountingCost><cac:DocumentReference><cbc:ID>OBJ-1</cbc:ID></cac:DocumentReference>",
    )
    line = parse(document).content.lines[0]

    assert (line.buyer_item_number, line.standard_item_number, line.origin_country) == (
        "B-7",
        "4012345678901",
        "NO",
    )
    assert [(one.name, one.value) for one in line.attributes] == [("Colour", "Black")]
    assert (line.accounting_reference, line.object_identifier) == ("4711", "OBJ-1")


def test_references_of_the_document_are_kept() -> None:
    document = append_elements(
        read_published("01.18a"),
        ".",
        "<cbc:AccountingCost>K-1</cbc:AccountingCost>"
        "<cac:ReceiptDocumentReference><cbc:ID>R-1</cbc:ID></cac:ReceiptDocumentReference>"
        "<cac:DespatchDocumentReference><cbc:ID>D-1</cbc:ID></cac:DespatchDocumentReference>"
        "<cac:BillingReference><cac:InvoiceDocumentReference><cbc:ID>OLD-2</cbc:ID></cac:InvoiceDocumentReference></cac:BillingReference>"
        "<cac:AdditionalDocumentReference><cbc:ID>METER-9</cbc:ID><cbc:DocumentTypeCode>130</cbc:DocumentTypeCode>"
        "</cac:AdditionalDocumentReference>",
    )
    content = parse(document).content

    references = content.accounting_reference, content.receiving_advice, content.despatch_advice
    assert references == ("K-1", "R-1", "D-1")
    others = content.preceding_invoice, content.object_identifier, content.attachments
    assert others == ("PRG1502168, OLD-2", "METER-9", ())


@pytest.mark.parametrize("code", list(DocumentType))
def test_every_kind_of_invoice_is_read(code: DocumentType) -> None:
    document = change_texts(read_published("01.05a"), {"cbc:InvoiceTypeCode": code.value})
    assert parse(document).content.document_type is code


def test_a_refusal_never_repeats_a_long_text() -> None:
    with pytest.raises(UblRefused, match=r"\A.{1,199}\Z"):
        parse(change_texts(read_published("02.01a"), {"cbc:InvoiceTypeCode": "x" * 900}))


@pytest.mark.parametrize(
    ("note", "text"),
    [
        ("#ADU#Trainer", "Trainer"),
        ("#AAC# Trainer", "Trainer"),
        ("#ADU#", ""),
        ("#adu#Trainer", "#adu#Trainer"),
        ("See #ADU#12", "See #ADU#12"),
        ("#ADUX#12", "#ADUX#12"),
        ("#ADU##AAC#12", "#AAC#12"),
    ],
)
def test_only_a_subject_code_before_the_text_is_taken_off(note: str, text: str) -> None:
    assert strip_subject_code(note) == text
