"""Reads a UBL 2.1 invoice (OASIS UBL 2.1, bound to EN 16931) into our values and its stated totals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from kernel.money import Currency
from tenants.invoices import ubl_parties as parties
from tenants.invoices.bounds import MAX_CONTENT_BYTES, MAX_LINES
from tenants.invoices.content import Attachment, Content, DocumentType, Exemption, Line, Period, Tax
from tenants.invoices.snapshot import size_of
from tenants.invoices.ubl_lines import adjustments, line, period, tax
from tenants.invoices.ubl_node import Node, UblRefused
from tenants.invoices.ubl_text import without_subject_code
from tenants.invoices.ubl_xml import root_of

MAX_NUMBER: Final = 100
_INVOICED_OBJECT: Final = "130"
_WEB: Final = re.compile(r"https?://[^\s]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StatedTax:
    """A VAT breakdown as the document states it (BG-23), in major units."""

    tax: Tax
    base: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Stated:
    """The totals as the document states them, in major units; None where it says nothing."""

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
    """A document that was read but not yet believed: its number, what it says, what it states as totals."""

    number: str
    content: Content
    stated: Stated


def parse(document: bytes) -> ParsedInvoice:
    """Read a UBL 2.1 invoice; UblRefused names the rule if it is not one, or says what we cannot keep.

    Every fact with a field in `Content` is kept. Read past are: customization and profile, attachments'
    bytes, electronic addresses other than e-mail, codes of notes, of payment means and of the tax point,
    identifier schemes, and elements that EN 16931 does not know.
    """
    invoice = root_of(document)
    of = invoice.currency("cbc:DocumentCurrencyCode", "BR-CL-04")
    if of is None:
        raise UblRefused("BR-05", "Invoice: cbc:DocumentCurrencyCode is missing.")
    accounting = invoice.currency("cbc:TaxCurrencyCode", "BR-CL-05")
    if accounting == of:
        raise UblRefused("PEPPOL-EN16931-R005", "Invoice: the tax currency is the invoice's own.")
    invoice = Node(invoice.element, invoice.where, of)
    if invoice.every("cac:WithholdingTaxTotal"):
        raise UblRefused("PORTAL-UNSUPPORTED", "Invoice: withheld tax is not part of EN 16931's totals.")
    number = invoice.need_text("cbc:ID", "BR-02")
    if len(number) > MAX_NUMBER:
        raise UblRefused("PORTAL-TEXT", f"The number has more than {MAX_NUMBER} characters.")
    lines, nets = _lines(invoice)
    subtotals, exemptions, tax_total = _taxes(invoice)
    stated = _stated(invoice, nets, subtotals, tax_total)
    content = _content(invoice, of, lines, exemptions, stated)
    if size_of(content) > MAX_CONTENT_BYTES:
        raise UblRefused("PORTAL-LIMIT", f"The invoice says more than {MAX_CONTENT_BYTES:,} bytes in all.")
    return ParsedInvoice(number, content, stated)


def _content(
    invoice: Node, of: Currency, lines: tuple[Line, ...], exemptions: tuple[Exemption, ...], stated: Stated
) -> Content:
    issue_date = invoice.date("cbc:IssueDate")
    if issue_date is None:
        raise UblRefused("BR-03", "Invoice: cbc:IssueDate is missing.")
    tax_currency, tax_in_tax_currency = _accounting_tax(invoice, stated.tax_total)
    attachments, object_identifier = _documents(invoice)
    return Content(
        currency=of.code,
        seller=parties.seller(invoice),
        buyer=parties.buyer(invoice),
        lines=lines,
        document_type=_document_type(invoice),
        issue_date=issue_date,
        due_date=invoice.date("cbc:DueDate"),
        delivery_date=invoice.date("cac:Delivery/cbc:ActualDeliveryDate"),
        period=_period(invoice),
        adjustments=adjustments(invoice, is_document=True),
        prepaid=stated.prepaid or Decimal(0),
        rounding=stated.rounding or Decimal(0),
        exemptions=exemptions,
        notes=tuple(without_subject_code(note) for note in invoice.texts("cbc:Note")),
        buyer_reference=invoice.text("cbc:BuyerReference"),
        purchase_order=invoice.text("cac:OrderReference/cbc:ID"),
        sales_order=invoice.text("cac:OrderReference/cbc:SalesOrderID"),
        contract=invoice.text("cac:ContractDocumentReference/cbc:ID"),
        project=invoice.text("cac:ProjectReference/cbc:ID"),
        preceding_invoice=_preceding(invoice),
        payment_terms="\n".join(invoice.texts("cac:PaymentTerms/cbc:Note")),
        transfers=parties.transfers(invoice),
        attachments=attachments,
        tax_point_date=invoice.date("cbc:TaxPointDate"),
        tax_currency=tax_currency,
        tax_in_tax_currency=tax_in_tax_currency,
        payee=parties.payee(invoice),
        tax_representative=parties.tax_representative(invoice),
        delivery=parties.delivery(invoice),
        card=parties.card(invoice),
        debit=parties.debit(invoice),
        payment_means=parties.payment_means(invoice),
        tender=invoice.text("cac:OriginatorDocumentReference/cbc:ID"),
        receiving_advice=invoice.text("cac:ReceiptDocumentReference/cbc:ID"),
        despatch_advice=invoice.text("cac:DespatchDocumentReference/cbc:ID"),
        object_identifier=object_identifier,
        accounting_reference=invoice.text("cbc:AccountingCost"),
    )


def _lines(invoice: Node) -> tuple[tuple[Line, ...], tuple[Decimal, ...]]:
    nodes = invoice.every("cac:InvoiceLine", MAX_LINES)
    if not nodes:
        raise UblRefused("BR-16", "Invoice: there is no line.")
    read = [line(node.at(f"Line {place}")) for place, node in enumerate(nodes, 1)]
    return tuple(each for each, _ in read), tuple(net for _, net in read)


def _taxes(invoice: Node) -> tuple[tuple[StatedTax, ...], tuple[Exemption, ...], Decimal]:
    """Return the breakdown, the reasons for taxes not levied, and the total (BG-23, BT-110)."""
    totals = [node for node in invoice.every("cac:TaxTotal") if not _is_accounting(invoice, node)]
    if len(totals) > 1:
        raise UblRefused("PEPPOL-EN16931-R053", "Invoice: more than one total of taxes.")
    groups = totals[0].every("cac:TaxSubtotal") if totals else []
    if not groups:
        raise UblRefused("BR-CO-18", "Invoice: there is no breakdown of taxes.")
    breakdown, exemptions = [], []
    for place, node in enumerate(groups, 1):
        group = node.at(f"Tax breakdown {place}")
        levied = tax(group, "cac:TaxCategory", "BR-47", "BR-48")
        breakdown.append(
            StatedTax(
                levied,
                base=group.need_amount("cbc:TaxableAmount", "BR-45", "BR-DEC-19"),
                amount=group.need_amount("cbc:TaxAmount", "BR-46", "BR-DEC-20"),
            )
        )
        reason = group.text("cac:TaxCategory/cbc:TaxExemptionReason")
        reason_code = group.text("cac:TaxCategory/cbc:TaxExemptionReasonCode")
        if reason or reason_code:
            exemptions.append(Exemption(levied.category, reason, reason_code))
    total = totals[0].need_amount("cbc:TaxAmount", "BR-CO-14", "BR-DEC-13")
    return tuple(breakdown), tuple(exemptions), total


def _stated(
    invoice: Node, nets: tuple[Decimal, ...], subtotals: tuple[StatedTax, ...], tax_total: Decimal
) -> Stated:
    node = invoice.need("cac:LegalMonetaryTotal", "BR-12").at("Totals")
    return Stated(
        line_nets=nets,
        subtotals=subtotals,
        line_total=node.need_amount("cbc:LineExtensionAmount", "BR-12", "BR-DEC-09"),
        allowance_total=node.amount("cbc:AllowanceTotalAmount", "BR-DEC-10"),
        charge_total=node.amount("cbc:ChargeTotalAmount", "BR-DEC-11"),
        tax_exclusive=node.need_amount("cbc:TaxExclusiveAmount", "BR-13", "BR-DEC-12"),
        tax_total=tax_total,
        tax_inclusive=node.need_amount("cbc:TaxInclusiveAmount", "BR-14", "BR-DEC-14"),
        prepaid=node.amount("cbc:PrepaidAmount", "BR-DEC-16"),
        rounding=node.amount("cbc:PayableRoundingAmount", "BR-DEC-17"),
        payable=node.need_amount("cbc:PayableAmount", "BR-15", "BR-DEC-18"),
    )


def _is_accounting(invoice: Node, total: Node) -> bool:
    """Say whether a total of taxes is the one in the seller's accounting currency (BT-111)."""
    accounting = invoice.text("cbc:TaxCurrencyCode")
    amount = total.maybe("cbc:TaxAmount")
    return bool(accounting) and amount is not None and amount.attribute("currencyID") == accounting


def _accounting_tax(invoice: Node, tax_total: Decimal) -> tuple[str, Decimal | None]:
    """Return the currency taxes are accounted in and their total in it (BT-6, BT-111), or nothing."""
    accounting = invoice.currency("cbc:TaxCurrencyCode", "BR-CL-05")
    if accounting is None:
        return "", None
    totals = [node for node in invoice.every("cac:TaxTotal") if _is_accounting(invoice, node)]
    if len(totals) != 1 or totals[0].every("cac:TaxSubtotal"):
        rule = "PEPPOL-EN16931-R054" if totals else "BR-53"
        raise UblRefused(rule, f"Invoice: there is not one plain total of taxes in {accounting.code}.")
    node = Node(totals[0].element, "Tax in tax currency", accounting)
    amount = node.need_amount("cbc:TaxAmount", "BR-53", "BR-DEC-15")
    if amount * tax_total < 0:
        raise UblRefused("PEPPOL-EN16931-R055", "Invoice: the two totals of taxes have different signs.")
    return accounting.code, amount


def _document_type(invoice: Node) -> DocumentType:
    code = invoice.need_text("cbc:InvoiceTypeCode", "BR-04")
    try:
        return DocumentType(code)
    except ValueError:
        words = f"Invoice: type {code[:40]!r} is no kind of invoice that is taken here."
        raise UblRefused("BR-CL-01", words) from None


def _period(invoice: Node) -> Period | None:
    node = invoice.maybe("cac:InvoicePeriod")
    return None if node is None else period(node, "BR-29")


def _preceding(invoice: Node) -> str:
    found = [
        node.need_text("cac:InvoiceDocumentReference/cbc:ID", "BR-55")
        for node in invoice.every("cac:BillingReference")
    ]
    return ", ".join(found)


def _documents(invoice: Node) -> tuple[tuple[Attachment, ...], str]:
    """Return the supporting documents (BG-24) and the identifier of the object invoiced (BT-18)."""
    attachments, objects = [], []
    for node in invoice.every("cac:AdditionalDocumentReference"):
        identifier = node.need_text("cbc:ID", "BR-52")
        if node.text("cbc:DocumentTypeCode") == _INVOICED_OBJECT:
            objects.append(identifier)
            continue
        url = node.text("cac:Attachment/cac:ExternalReference/cbc:URI")
        if url and not _WEB.fullmatch(url):
            raise UblRefused("PORTAL-UNSUPPORTED", f"Attachment {identifier[:40]!r} is at no web address.")
        embedded = node.maybe("cac:Attachment/cbc:EmbeddedDocumentBinaryObject")
        attachments.append(
            Attachment(
                identifier=identifier,
                description=" ".join(node.texts("cbc:DocumentDescription")),
                filename="" if embedded is None else embedded.attribute("filename"),
                url=url,
            )
        )
    return tuple(attachments), ", ".join(objects)
