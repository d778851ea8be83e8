"""Reads a UBL 2.1 invoice with the syntax binding of EN 16931 (CEN/TS 16931-3-2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from kernel.money import Currency
from kernel.text import clean_identifier
from tenants.invoices.bounds import MAX_CONTENT_BYTES, MAX_LINES
from tenants.invoices.cleaning import clean_content
from tenants.invoices.content import Attachment, Content, DocumentType, Exemption, Line, Period, Tax
from tenants.invoices.encoding import measure_content
from tenants.invoices.ubl import parties
from tenants.invoices.ubl.lines import read_adjustments, read_line, read_period, read_tax
from tenants.invoices.ubl.node import Node, UblRefused
from tenants.invoices.ubl.xml import parse_root

MAX_NUMBER_LENGTH: Final = 100
_INVOICED_OBJECT: Final = "130"
# UNTDID 4451, before the text of a note as XRechnung and Peppol write it in UBL: "#ADU#text".
_SUBJECT_CODE: Final = re.compile(r"#[A-Z]{3}#\s*")
_WEB_URL: Final = re.compile(r"https?://[^\s]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StatedTax:
    """A VAT breakdown as the document states it (BG-23), in major units."""

    tax: Tax
    base: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class StatedTotals:
    """The totals as the document states them, in major units; None for a missing one."""

    line_nets: tuple[Decimal, ...]
    subtotals: tuple[StatedTax, ...]
    line_total: Decimal
    allowance_total: Decimal | None
    charge_total: Decimal | None
    tax_exclusive: Decimal
    tax_total: Decimal
    tax_inclusive: Decimal
    prepaid: Decimal | None
    rounding: Decimal | None
    payable: Decimal


@dataclass(frozen=True, slots=True)
class ParsedInvoice:
    """An invoice with its stated totals, which are not checked yet."""

    number: str
    content: Content
    stated: StatedTotals


def parse(document: bytes) -> ParsedInvoice:
    """Read a UBL 2.1 invoice; UblRefused names the broken rule.

    Not read are customization and profile, the bytes of attachments, electronic addresses other than e-mail,
    codes of notes, of payment means and of the tax point, identifier schemes, and elements outside EN 16931.
    """
    invoice = parse_root(document)
    of = invoice.read_currency("cbc:DocumentCurrencyCode", "BR-CL-04")
    if of is None:
        raise UblRefused("BR-05", "Invoice: cbc:DocumentCurrencyCode is missing.")
    tax_currency = invoice.read_currency("cbc:TaxCurrencyCode", "BR-CL-05")
    if tax_currency == of:
        raise UblRefused("PEPPOL-EN16931-R005", "Invoice: the tax currency is the invoice currency.")
    invoice = Node(invoice.element, invoice.location, of)
    if invoice.find_all("cac:WithholdingTaxTotal"):
        raise UblRefused("PORTAL-UNSUPPORTED", "Invoice: the totals of EN 16931 have no withheld tax.")
    number = clean_identifier(invoice.require_text("cbc:ID", "BR-02"))
    if len(number) > MAX_NUMBER_LENGTH:
        raise UblRefused("PORTAL-TEXT", f"The number has more than {MAX_NUMBER_LENGTH} characters.")
    lines, nets = _read_lines(invoice)
    subtotals, exemptions, tax_total = _read_taxes(invoice)
    stated = _read_stated_totals(invoice, nets, subtotals, tax_total)
    content = clean_content(_read_content(invoice, of, lines, exemptions, stated))
    if measure_content(content) > MAX_CONTENT_BYTES:
        raise UblRefused("PORTAL-LIMIT", f"The invoice has more than {MAX_CONTENT_BYTES:,} bytes in all.")
    return ParsedInvoice(number, content, stated)


def _read_content(
    invoice: Node,
    of: Currency,
    lines: tuple[Line, ...],
    exemptions: tuple[Exemption, ...],
    stated: StatedTotals,
) -> Content:
    issue_date = invoice.read_date("cbc:IssueDate")
    if issue_date is None:
        raise UblRefused("BR-03", "Invoice: cbc:IssueDate is missing.")
    tax_currency, tax_in_tax_currency = _read_tax_in_tax_currency(invoice, stated.tax_total)
    attachments, object_identifier = _read_documents(invoice)
    return Content(
        currency=of.code,
        seller=parties.read_seller(invoice),
        buyer=parties.read_buyer(invoice),
        lines=lines,
        document_type=_read_document_type(invoice),
        issue_date=issue_date,
        due_date=invoice.read_date("cbc:DueDate"),
        delivery_date=invoice.read_date("cac:Delivery/cbc:ActualDeliveryDate"),
        period=_read_period(invoice),
        adjustments=read_adjustments(invoice, is_document=True),
        prepaid=stated.prepaid or Decimal(0),
        rounding=stated.rounding or Decimal(0),
        exemptions=exemptions,
        notes=tuple(strip_subject_code(note) for note in invoice.read_texts("cbc:Note")),
        buyer_reference=invoice.read_text("cbc:BuyerReference"),
        purchase_order=invoice.read_text("cac:OrderReference/cbc:ID"),
        sales_order=invoice.read_text("cac:OrderReference/cbc:SalesOrderID"),
        contract=invoice.read_text("cac:ContractDocumentReference/cbc:ID"),
        project=invoice.read_text("cac:ProjectReference/cbc:ID"),
        preceding_invoice=_read_preceding_invoices(invoice),
        payment_terms="\n".join(invoice.read_texts("cac:PaymentTerms/cbc:Note")),
        transfers=parties.read_transfers(invoice),
        attachments=attachments,
        tax_point_date=invoice.read_date("cbc:TaxPointDate"),
        tax_currency=tax_currency,
        tax_in_tax_currency=tax_in_tax_currency,
        payee=parties.read_payee(invoice),
        tax_representative=parties.read_tax_representative(invoice),
        delivery=parties.read_delivery(invoice),
        card=parties.read_card(invoice),
        debit=parties.read_debit(invoice),
        payment_means=parties.read_payment_means(invoice),
        tender=invoice.read_text("cac:OriginatorDocumentReference/cbc:ID"),
        receiving_advice=invoice.read_text("cac:ReceiptDocumentReference/cbc:ID"),
        despatch_advice=invoice.read_text("cac:DespatchDocumentReference/cbc:ID"),
        object_identifier=object_identifier,
        accounting_reference=invoice.read_text("cbc:AccountingCost"),
    )


def _read_lines(invoice: Node) -> tuple[tuple[Line, ...], tuple[Decimal, ...]]:
    nodes = invoice.find_all("cac:InvoiceLine", MAX_LINES)
    if not nodes:
        raise UblRefused("BR-16", "Invoice: there is no line.")
    read = [read_line(node.with_location(f"Line {number}")) for number, node in enumerate(nodes, 1)]
    return tuple(each for each, _ in read), tuple(net for _, net in read)


def _read_taxes(invoice: Node) -> tuple[tuple[StatedTax, ...], tuple[Exemption, ...], Decimal]:
    """Return the VAT breakdown, the reasons for exemption, and the total (BG-23, BT-110)."""
    totals = [node for node in invoice.find_all("cac:TaxTotal") if not _is_in_tax_currency(invoice, node)]
    if len(totals) > 1:
        raise UblRefused("PEPPOL-EN16931-R053", "Invoice: more than one total of taxes.")
    groups = totals[0].find_all("cac:TaxSubtotal") if totals else []
    if not groups:
        raise UblRefused("BR-CO-18", "Invoice: there is no breakdown of taxes.")
    breakdown, exemptions = [], []
    for number, node in enumerate(groups, 1):
        group = node.with_location(f"Tax breakdown {number}")
        category = read_tax(group, "cac:TaxCategory", "BR-47", "BR-48")
        breakdown.append(
            StatedTax(
                category,
                base=group.require_amount("cbc:TaxableAmount", "BR-45", "BR-DEC-19"),
                amount=group.require_amount("cbc:TaxAmount", "BR-46", "BR-DEC-20"),
            )
        )
        reason = group.read_text("cac:TaxCategory/cbc:TaxExemptionReason")
        reason_code = group.read_text("cac:TaxCategory/cbc:TaxExemptionReasonCode")
        if reason or reason_code:
            exemptions.append(Exemption(category.category, reason, reason_code))
    total = totals[0].require_amount("cbc:TaxAmount", "BR-CO-14", "BR-DEC-13")
    return tuple(breakdown), tuple(exemptions), total


def _read_stated_totals(
    invoice: Node, nets: tuple[Decimal, ...], subtotals: tuple[StatedTax, ...], tax_total: Decimal
) -> StatedTotals:
    node = invoice.require("cac:LegalMonetaryTotal", "BR-12").with_location("Totals")
    return StatedTotals(
        line_nets=nets,
        subtotals=subtotals,
        line_total=node.require_amount("cbc:LineExtensionAmount", "BR-12", "BR-DEC-09"),
        allowance_total=node.read_amount("cbc:AllowanceTotalAmount", "BR-DEC-10"),
        charge_total=node.read_amount("cbc:ChargeTotalAmount", "BR-DEC-11"),
        tax_exclusive=node.require_amount("cbc:TaxExclusiveAmount", "BR-13", "BR-DEC-12"),
        tax_total=tax_total,
        tax_inclusive=node.require_amount("cbc:TaxInclusiveAmount", "BR-14", "BR-DEC-14"),
        prepaid=node.read_amount("cbc:PrepaidAmount", "BR-DEC-16"),
        rounding=node.read_amount("cbc:PayableRoundingAmount", "BR-DEC-17"),
        payable=node.require_amount("cbc:PayableAmount", "BR-15", "BR-DEC-18"),
    )


def _is_in_tax_currency(invoice: Node, total: Node) -> bool:
    """Tell whether a total of taxes is in the tax currency (BT-111)."""
    tax_currency = invoice.read_text("cbc:TaxCurrencyCode")
    amount = total.find("cbc:TaxAmount")
    return bool(tax_currency) and amount is not None and amount.read_attribute("currencyID") == tax_currency


def _read_tax_in_tax_currency(invoice: Node, tax_total: Decimal) -> tuple[str, Decimal | None]:
    """Return the tax currency and the total of taxes in it (BT-6, BT-111), or ("", None)."""
    tax_currency = invoice.read_currency("cbc:TaxCurrencyCode", "BR-CL-05")
    if tax_currency is None:
        return "", None
    totals = [node for node in invoice.find_all("cac:TaxTotal") if _is_in_tax_currency(invoice, node)]
    if len(totals) != 1 or totals[0].find_all("cac:TaxSubtotal"):
        rule = "PEPPOL-EN16931-R054" if totals else "BR-53"
        raise UblRefused(
            rule, f"Invoice: there is not exactly one total without breakdown in {tax_currency.code}."
        )
    node = Node(totals[0].element, "Tax in tax currency", tax_currency)
    amount = node.require_amount("cbc:TaxAmount", "BR-53", "BR-DEC-15")
    if amount * tax_total < 0:
        raise UblRefused("PEPPOL-EN16931-R055", "Invoice: the two totals of taxes have different signs.")
    return tax_currency.code, amount


def _read_document_type(invoice: Node) -> DocumentType:
    code = invoice.require_text("cbc:InvoiceTypeCode", "BR-04")
    try:
        return DocumentType(code)
    except ValueError:
        message = f"Invoice: type {code[:40]!r} is not a supported type of invoice."
        raise UblRefused("BR-CL-01", message) from None


def _read_period(invoice: Node) -> Period | None:
    node = invoice.find("cac:InvoicePeriod")
    return None if node is None else read_period(node, "BR-29")


def _read_preceding_invoices(invoice: Node) -> str:
    found = [
        node.require_text("cac:InvoiceDocumentReference/cbc:ID", "BR-55")
        for node in invoice.find_all("cac:BillingReference")
    ]
    return ", ".join(found)


def _read_documents(invoice: Node) -> tuple[tuple[Attachment, ...], str]:
    """Return the supporting documents (BG-24) and the identifier of the object invoiced (BT-18)."""
    attachments, objects = [], []
    for node in invoice.find_all("cac:AdditionalDocumentReference"):
        identifier = node.require_text("cbc:ID", "BR-52")
        if node.read_text("cbc:DocumentTypeCode") == _INVOICED_OBJECT:
            objects.append(identifier)
            continue
        url = node.read_text("cac:Attachment/cac:ExternalReference/cbc:URI")
        if url and not _WEB_URL.fullmatch(url):
            message = f"The address of attachment {identifier[:40]!r} is not http or https."
            raise UblRefused("PORTAL-UNSUPPORTED", message)
        embedded = node.find("cac:Attachment/cbc:EmbeddedDocumentBinaryObject")
        attachments.append(
            Attachment(
                identifier=identifier,
                description=" ".join(node.read_texts("cbc:DocumentDescription")),
                filename="" if embedded is None else embedded.read_attribute("filename"),
                url=url,
            )
        )
    return tuple(attachments), ", ".join(objects)


def strip_subject_code(note: str) -> str:
    """Return a note without the subject code (BT-21) before its text."""
    match = _SUBJECT_CODE.match(note)
    return note[match.end() :] if match else note
