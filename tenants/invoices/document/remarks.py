"""The remarks of an invoice: means of payment, delivery, tax notes, attachments, and those of a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kernel.identifiers import format_account
from kernel.money import Money, find_currency
from tenants.invoices.content import Card, Content, Debit, Delivery, Line, Party
from tenants.invoices.document.addresses import format_address
from tenants.invoices.document.exemptions import describe_exemption
from tenants.invoices.document.values import Fact

if TYPE_CHECKING:
    from kernel.language import Language


def list_document_remarks(content: Content, language: Language) -> Iterator[Fact]:
    """Return every remark of the document under its heading, the means of payment first."""
    yield from _list_payment_means(content, language)
    _ = language.gettext
    if content.delivery:
        yield Fact(_("Delivered to"), _describe_delivery(content.delivery, content.seller, language))
    for exemption in content.exemptions:
        reason = describe_exemption(exemption, language)
        if reason:
            yield Fact(_("Tax note"), reason)
    if content.tax_representative:
        yield Fact(_("Tax representative"), _describe_party(content.tax_representative))
    if content.tax_in_tax_currency is not None and content.tax_currency:
        amount = Money.round_decimal(content.tax_in_tax_currency, find_currency(content.tax_currency))
        yield Fact(
            _("Tax in %(currency)s") % {"currency": content.tax_currency}, language.format_amount(amount)
        )
    for attachment in content.attachments:
        parts = (attachment.description, attachment.filename or attachment.identifier, attachment.url)
        yield Fact(_("Attachment"), " · ".join(dict.fromkeys(part for part in parts if part)))


def list_line_remarks(line: Line, language: Language) -> Iterator[str]:
    """Return the remarks of a line: description, attributes, numbers, origin; not its period or note."""
    _ = language.gettext
    if line.description:
        yield line.description
    for attribute in line.attributes:
        yield f"{attribute.name}: {attribute.value}"
    numbers = (
        (_("Item %(number)s"), line.item_number),
        (_("Your item %(number)s"), line.buyer_item_number),
        (_("Standard item %(number)s"), line.standard_item_number),
        (_("Order line %(number)s"), line.order_line),
        (_("Object %(number)s"), line.object_identifier),
        (_("Your account %(number)s"), line.accounting_reference),
    )
    for words, number in numbers:
        if number:
            yield words % {"number": number}
    if line.origin_country:
        yield _("Made in %(country)s") % {"country": language.translate_country(line.origin_country)}
    if line.price_discount:
        yield _("Price already reduced by %(amount)s") % {
            "amount": language.format_decimal(line.price_discount)
        }


def _list_payment_means(content: Content, language: Language) -> Iterator[Fact]:
    _ = language.gettext
    if content.payment_terms:
        yield Fact(_("Payment terms"), content.payment_terms)
    if content.payment_means:
        yield Fact(_("Means of payment"), " · ".join(content.payment_means))
    if content.card:
        yield Fact(_("Paid by card"), _describe_card(content.card))
    if content.debit:
        yield Fact(_("Direct debit"), _describe_debit(content.debit, language))
    if content.payee:
        yield Fact(_("Payable to"), _describe_party(content.payee))


def _describe_card(card: Card) -> str:
    return " · ".join(part for part in (f"•••• {card.number}", card.holder) if part)


def _describe_debit(debit: Debit, language: Language) -> str:
    parts = (
        (language.gettext("Mandate %(number)s"), debit.mandate),
        (language.gettext("Creditor %(number)s"), debit.creditor),
        (language.gettext("Account %(number)s"), format_account(debit.account)),
    )
    return "\n".join(words % {"number": value} for words, value in parts if value)


def _describe_party(party: Party) -> str:
    return "\n".join(part for part in (party.name, party.vat_id or party.registration) if part)


def _describe_delivery(delivery: Delivery, seller: Party, language: Language) -> str:
    lines = format_address(delivery.address, language, home_country=seller.address.country)
    return "\n".join(part for part in (delivery.name, *lines, delivery.location) if part)
