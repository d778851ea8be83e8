"""The render model of an invoice: its content and totals as texts in one language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from kernel.identifiers import find_iban, format_account
from kernel.money import Money
from tenants.invoices.amounts import Totals
from tenants.invoices.content import Content, DocumentType, Party, Transfer
from tenants.invoices.document import addresses, rows
from tenants.invoices.document.accounts import find_holder
from tenants.invoices.document.remarks import list_document_remarks
from tenants.invoices.document.total_rows import build_total_rows
from tenants.invoices.document.values import (
    Account,
    AmountSize,
    Document,
    DocumentBrand,
    Fact,
    PartyBlock,
    Row,
    TotalRow,
)

if TYPE_CHECKING:
    import datetime as dt

    from kernel.language import Language

# The folder of the document's translations, for `Language.load`.
CATALOGUES: Final = Path(__file__).parent / "locale"
_LONG_AMOUNT: Final = 13
_HUGE_AMOUNT: Final = 18


def compose_document(
    content: Content,
    totals: Totals,
    number: str,
    language: Language,
    *,
    brand: DocumentBrand,
    page_size: Literal["A4", "Letter"] = "A4",
) -> Document:
    """Return the render model of one version in one language; no amount is computed again."""
    lines = rows.build_rows(content, totals, language)
    total_rows = build_total_rows(content, totals, language)
    # Accounts ask for a payment: they are left out if nothing is to be paid.
    transfers = content.transfers if totals.payable > Money.zero(totals.currency) else ()
    content_language = (
        language.tag if language.tag.split("-")[0] != language.message_tag.split("-")[0] else ""
    )
    return Document(
        language=language.message_tag,
        content_language=content_language,
        direction=language.direction,
        page_size=page_size,
        title=name_document_type(content.document_type, language),
        number=number,
        brand=brand,
        seller=_build_party(
            language.gettext("From"), content.seller, language, home_country=content.buyer.address.country
        ),
        buyer=_build_party(
            language.gettext("Bill to"), content.buyer, language, home_country=content.seller.address.country
        ),
        details=tuple(_list_details(content, language)),
        columns=rows.build_columns(content, language, lines),
        rows=lines,
        total_rows=total_rows,
        amount_size=_choose_amount_size(lines, total_rows),
        includes_tax=rows.describe_included_tax(content, language),
        items_heading=language.gettext("Items"),
        details_heading=language.gettext("Details"),
        accounts_heading=language.gettext("Bank transfer"),
        accounts=tuple(_build_account(each, transfers, content, number, language) for each in transfers),
        accounts_separator=language.gettext("or"),
        accounts_reference=_find_common_reference(transfers, number, language),
        remarks=tuple(list_document_remarks(content, language)),
        notes=tuple(note for note in content.notes if note.strip()),
        legal_note=content.seller.legal_note,
    )


def name_document_type(kind: DocumentType, language: Language) -> str:
    """Return the title of the document (UNCL 1001)."""
    match kind:
        case DocumentType.INVOICE:
            return language.gettext("Invoice")
        case DocumentType.PARTIAL:
            return language.gettext("Partial invoice")
        case DocumentType.CORRECTED:
            return language.gettext("Corrected invoice")
        case DocumentType.SELF_BILLED:
            return language.gettext("Self-billed invoice")
        case DocumentType.PREPAYMENT:
            return language.gettext("Prepayment invoice")
        case DocumentType.CONSTRUCTION_PARTIAL:
            return language.gettext("Partial construction invoice")
        case DocumentType.CONSTRUCTION_PARTIAL_FINAL:
            return language.gettext("Partial final construction invoice")
        case DocumentType.CONSTRUCTION_FINAL:
            return language.gettext("Final construction invoice")


def _build_party(heading: str, party: Party, language: Language, *, home_country: str) -> PartyBlock:
    facts = (
        (language.gettext("VAT ID"), party.vat_id),
        (language.gettext("Tax number"), party.tax_number),
        (language.gettext("Registration"), party.registration),
    )
    contact_lines = (party.contact_name, party.phone, party.email)
    trading_names = (party.trading_name,) if party.trading_name and party.trading_name != party.name else ()
    return PartyBlock(
        heading=heading,
        name=party.name,
        lines=(
            *trading_names,
            *addresses.format_address(party.address, language, home_country=home_country),
            *(line for line in contact_lines if line),
        ),
        facts=tuple(Fact(label, value) for label, value in facts if value),
    )


def _list_details(content: Content, language: Language) -> Iterator[Fact]:
    _ = language.gettext
    details = (
        (_("Issued"), _format_day(content.issue_date, language)),
        (_("Due date"), _format_day(content.due_date, language)),
        (_("Delivered"), _format_day(content.delivery_date, language)),
        (_("Tax date"), _format_day(content.tax_point_date, language)),
        (_("Period"), rows.format_period(content.period, language) if content.period else ""),
        (_("Your reference"), content.buyer_reference),
        (_("Purchase order"), content.purchase_order),
        (_("Sales order"), content.sales_order),
        (_("Contract"), content.contract),
        (_("Project"), content.project),
        (_("Tender"), content.tender),
        (_("Despatch advice"), content.despatch_advice),
        (_("Receiving advice"), content.receiving_advice),
        (_("Object"), content.object_identifier),
        (_("Your account"), content.accounting_reference),
        (_("Refers to invoice"), content.preceding_invoice),
    )
    return (Fact(label, value) for label, value in details if value)


def _format_day(day: dt.date | None, language: Language) -> str:
    return language.format_date(day) if day else ""


def _build_account(
    transfer: Transfer, transfers: Sequence[Transfer], content: Content, number: str, language: Language
) -> Account:
    label = language.gettext("IBAN") if find_iban(transfer.account) else language.gettext("Account")
    facts = (
        (language.gettext("Account holder"), find_holder(transfer, content)),
        (label, format_account(transfer.account)),
        (language.gettext("BIC"), transfer.bic),
        (language.gettext("Bank"), transfer.bank),
        (
            language.gettext("Reference"),
            "" if _find_common_reference(transfers, number, language) else transfer.reference or number,
        ),
    )
    return Account(tuple(Fact(name, value) for name, value in facts if value))


def _find_common_reference(
    transfers: Sequence[Transfer], number: str, language: Language
) -> tuple[Fact, ...]:
    """Return the reference that several accounts share; empty where there is one account or they differ."""
    references = {transfer.reference or number for transfer in transfers}
    if len(transfers) < 2 or len(references) > 1:
        return ()
    return (Fact(language.gettext("Reference"), references.pop()),)


def _choose_amount_size(lines: Iterable[Row], total_rows: Iterable[TotalRow]) -> AmountSize:
    longest = max((len(text) for text in _list_amounts(lines, total_rows)), default=0)
    if longest > _HUGE_AMOUNT:
        return AmountSize.HUGE
    return AmountSize.LONG if longest > _LONG_AMOUNT else AmountSize.NORMAL


def _list_amounts(lines: Iterable[Row], total_rows: Iterable[TotalRow]) -> Iterator[str]:
    for row in lines:
        yield row.price
        yield row.amount
    for total in total_rows:
        yield total.amount
