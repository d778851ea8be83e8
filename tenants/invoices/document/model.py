"""Turns an invoice's content and totals into what the paper prints; pure, no rendering."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from kernel.identifiers import find_iban, format_account
from kernel.money import Money
from tenants.invoices.content import Content, DocumentType, Party, Transfer
from tenants.invoices.document import addresses, rows, sums
from tenants.invoices.document.accounts import find_holder
from tenants.invoices.document.remarks import document_remarks
from tenants.invoices.document.values import (
    Account,
    Document,
    DocumentBrand,
    Fact,
    Figures,
    PartyBlock,
    Row,
    Sum,
)
from tenants.invoices.totals import Totals

if TYPE_CHECKING:
    import datetime as dt

    from kernel.language import Language

# The folder to give to `Language.load`, so that the document's own words are found.
CATALOGUES: Final = Path(__file__).parent / "locale"
_LONG: Final = 13
_HUGE: Final = 18


def document(
    content: Content,
    totals: Totals,
    number: str,
    language: Language,
    *,
    brand: DocumentBrand,
    page_size: Literal["A4", "Letter"] = "A4",
) -> Document:
    """Return the render model of one version in one language; amounts are exact, nothing is computed anew."""
    lines = rows.rows(content, totals, language)
    steps = sums.sums(content, totals, language)
    # Where nothing is to be paid an account would be an invitation to pay.
    transfers = content.transfers if totals.payable > Money.zero(totals.currency) else ()
    written = language.tag if language.tag.split("-")[0] != language.words_tag.split("-")[0] else ""
    return Document(
        language=language.words_tag,
        content_language=written,
        direction=language.direction,
        page_size=page_size,
        title=title(content.document_type, language),
        number=number,
        brand=brand,
        seller=_party(language.gettext("From"), content.seller, language, home=content.buyer.address.country),
        buyer=_party(
            language.gettext("Bill to"), content.buyer, language, home=content.seller.address.country
        ),
        details=tuple(_details(content, language)),
        columns=rows.columns(content, language, lines),
        rows=lines,
        sums=steps,
        figures=_figures(lines, steps),
        includes_tax=rows.includes_tax(content, language),
        items_heading=language.gettext("Items"),
        details_heading=language.gettext("Details"),
        accounts_heading=language.gettext("Bank transfer"),
        accounts=tuple(_account(each, transfers, content, number, language) for each in transfers),
        accounts_between=language.gettext("or"),
        accounts_common=_common(transfers, number, language),
        remarks=tuple(document_remarks(content, language)),
        notes=tuple(note for note in content.notes if note.strip()),
        legal_note=content.seller.legal_note,
    )


def title(kind: DocumentType, language: Language) -> str:
    """Return what the document calls itself (UNCL 1001)."""
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


def _party(heading: str, party: Party, language: Language, *, home: str) -> PartyBlock:
    facts = (
        (language.gettext("VAT ID"), party.vat_id),
        (language.gettext("Tax number"), party.tax_number),
        (language.gettext("Registration"), party.registration),
    )
    reach = (party.contact_name, party.phone, party.email)
    named = (party.trading_name,) if party.trading_name and party.trading_name != party.name else ()
    return PartyBlock(
        heading=heading,
        name=party.name,
        lines=(
            *named,
            *addresses.address_lines(party.address, language, home=home),
            *(line for line in reach if line),
        ),
        facts=tuple(Fact(label, value) for label, value in facts if value),
    )


def _details(content: Content, language: Language) -> Iterator[Fact]:
    _ = language.gettext
    said = (
        (_("Issued"), _day(content.issue_date, language)),
        (_("Due date"), _day(content.due_date, language)),
        (_("Delivered"), _day(content.delivery_date, language)),
        (_("Tax date"), _day(content.tax_point_date, language)),
        (_("Period"), rows.period(content.period, language) if content.period else ""),
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
    return (Fact(label, value) for label, value in said if value)


def _day(day: dt.date | None, language: Language) -> str:
    return language.date(day) if day else ""


def _account(
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
            "" if _common(transfers, number, language) else transfer.reference or number,
        ),
    )
    return Account(tuple(Fact(name, value) for name, value in facts if value))


def _common(transfers: Sequence[Transfer], number: str, language: Language) -> tuple[Fact, ...]:
    """Return what is to be quoted whichever of several accounts is paid to; empty without a choice."""
    quoted = {transfer.reference or number for transfer in transfers}
    if len(transfers) < 2 or len(quoted) > 1:
        return ()
    return (Fact(language.gettext("Reference"), quoted.pop()),)


def _figures(lines: Iterable[Row], steps: Iterable[Sum]) -> Figures:
    longest = max((len(text) for text in _amounts(lines, steps)), default=0)
    if longest > _HUGE:
        return Figures.HUGE
    return Figures.LONG if longest > _LONG else Figures.NORMAL


def _amounts(lines: Iterable[Row], steps: Iterable[Sum]) -> Iterator[str]:
    for row in lines:
        yield row.price
        yield row.amount
    for step in steps:
        yield step.amount
