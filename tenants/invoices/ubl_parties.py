"""Reads the parties of a UBL invoice, where it was delivered, and how it is to be paid."""

from __future__ import annotations

import re
from typing import Final

from tenants.invoices.content import Address, Card, Debit, Delivery, Party, Transfer
from tenants.invoices.ubl_node import Node, UblRefused

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_E_MAIL: Final = "EM"
_CREDITOR: Final = "SEPA"
# First six and last four (BR-51): more would be a card number, which must not be kept.
_MOST_CARD_DIGITS: Final = 10


def seller(invoice: Node) -> Party:
    """Return BG-4; a missing name is BR-06, address BR-08, country BR-09."""
    node = invoice.need("cac:AccountingSupplierParty/cac:Party", "BR-06").at("Seller")
    return _party(node, name_rule="BR-06", address_rule="BR-08", country_rule="BR-09")


def buyer(invoice: Node) -> Party:
    """Return BG-7; a missing name is BR-07, address BR-10, country BR-11."""
    node = invoice.need("cac:AccountingCustomerParty/cac:Party", "BR-07").at("Buyer")
    return _party(node, name_rule="BR-07", address_rule="BR-10", country_rule="BR-11")


def payee(invoice: Node) -> Party | None:
    """Return BG-10, who is paid instead of the seller; without a name it is refused by BR-17."""
    node = invoice.maybe("cac:PayeeParty")
    if node is None:
        return None
    node = node.at("Payee")
    return Party(
        name=node.need_text("cac:PartyName/cbc:Name", "BR-17"),
        identifier=_identifiers(node),
        registration=node.text("cac:PartyLegalEntity/cbc:CompanyID"),
    )


def tax_representative(invoice: Node) -> Party | None:
    """Return BG-11; a missing name is BR-18, address BR-19, country BR-20, VAT number BR-56."""
    node = invoice.maybe("cac:TaxRepresentativeParty")
    if node is None:
        return None
    node = node.at("Tax representative")
    vat_id, _ = _tax_numbers(node)
    if not vat_id:
        raise UblRefused("BR-56", "Tax representative: the VAT number is missing.")
    return Party(
        name=node.need_text("cac:PartyName/cbc:Name", "BR-18"),
        address=_address(node.need("cac:PostalAddress", "BR-19"), "BR-20"),
        vat_id=vat_id,
    )


def delivery(invoice: Node) -> Delivery | None:
    """Return BG-13 without its date, or None; an address without a country is refused by BR-57."""
    node = invoice.maybe("cac:Delivery")
    if node is None:
        return None
    node = node.at("Delivery")
    place = node.maybe("cac:DeliveryLocation/cac:Address")
    found = Delivery(
        name=node.text("cac:DeliveryParty/cac:PartyName/cbc:Name"),
        location=node.text("cac:DeliveryLocation/cbc:ID"),
        address=Address() if place is None else _address(place, "BR-57"),
    )
    return None if found == Delivery() else found


def transfers(invoice: Node) -> tuple[Transfer, ...]:
    """Return every account to pay to (BG-17); one without its number is refused by BR-50."""
    return tuple(
        Transfer(
            account=account.need_text("cbc:ID", "BR-50"),
            holder=account.text("cbc:Name"),
            bic=account.text("cac:FinancialInstitutionBranch/cbc:ID"),
            bank=account.text("cac:FinancialInstitutionBranch/cac:FinancialInstitution/cbc:Name"),
            reference=means.text("cbc:PaymentID"),
        )
        for means in _means(invoice)
        for account in (means.maybe("cac:PayeeFinancialAccount"),)
        if account is not None
    )


def payment_means(invoice: Node) -> tuple[str, ...]:
    """Return the seller's own words for the means of payment (BT-82); one without code is BR-49."""
    words = []
    for means in _means(invoice):
        means.need_text("cbc:PaymentMeansCode", "BR-49")
        words.append(means.need("cbc:PaymentMeansCode", "BR-49").attribute("name"))
    return tuple(dict.fromkeys(word for word in words if word))


def card(invoice: Node) -> Card | None:
    """Return the card that was charged (BG-18); BR-51 if more than its first and last digits are told."""
    found = [node for means in _means(invoice) if (node := means.maybe("cac:CardAccount")) is not None]
    if not found:
        return None
    if len(found) > 1:
        raise UblRefused("PORTAL-ONCE", "Payment: more than one card is named.")
    number = found[0].need_text("cbc:PrimaryAccountNumberID", "BR-51")
    if len(number) > _MOST_CARD_DIGITS:
        raise UblRefused("BR-51", "Payment: an invoice must not hold the full number of a card.")
    return Card(number=number, holder=found[0].text("cbc:HolderName"))


def debit(invoice: Node) -> Debit | None:
    """Return the direct debit the seller will make (BG-19), or None."""
    found = [node for means in _means(invoice) if (node := means.maybe("cac:PaymentMandate")) is not None]
    if not found:
        return None
    if len(found) > 1:
        raise UblRefused("PORTAL-ONCE", "Payment: more than one direct debit is named.")
    creditors = [
        text
        for path in ("cac:PayeeParty", "cac:AccountingSupplierParty/cac:Party")
        for each in invoice.every(f"{path}/cac:PartyIdentification")
        if (text := each.text("cbc:ID")) and _scheme(each) == _CREDITOR
    ]
    return Debit(
        mandate=found[0].text("cbc:ID"),
        creditor=creditors[0] if creditors else "",
        account=found[0].text("cac:PayerFinancialAccount/cbc:ID"),
    )


def country(node: Node, path: str) -> str:
    """Return an ISO 3166-1 alpha-2 country, "" if there is none; BR-CL-14 if it is not of that form."""
    code = node.text(path)
    if code and not _COUNTRY.fullmatch(code):
        raise UblRefused("BR-CL-14", f"{node.where}: {code[:40]!r} is no code of a country.")
    return code


def _party(node: Node, *, name_rule: str, address_rule: str, country_rule: str) -> Party:
    vat_id, tax_number = _tax_numbers(node)
    endpoint = node.maybe("cbc:EndpointID")
    # An electronic address of scheme EM is one for mail: what there is, if no contact is named.
    mail = node.text("cbc:EndpointID") if endpoint and endpoint.attribute("schemeID") == _E_MAIL else ""
    return Party(
        name=node.need_text("cac:PartyLegalEntity/cbc:RegistrationName", name_rule),
        trading_name=node.text("cac:PartyName/cbc:Name"),
        address=_address(node.need("cac:PostalAddress", address_rule), country_rule),
        vat_id=vat_id,
        tax_number=tax_number,
        registration=node.text("cac:PartyLegalEntity/cbc:CompanyID"),
        legal_note=node.text("cac:PartyLegalEntity/cbc:CompanyLegalForm"),
        identifier=_identifiers(node),
        contact_name=node.text("cac:Contact/cbc:Name"),
        phone=node.text("cac:Contact/cbc:Telephone"),
        email=node.text("cac:Contact/cbc:ElectronicMail") or mail,
    )


def _address(node: Node, country_rule: str) -> Address:
    node.need_text("cac:Country/cbc:IdentificationCode", country_rule)
    return Address(
        street=node.text("cbc:StreetName"),
        additional=node.text("cbc:AdditionalStreetName"),
        line=node.text("cac:AddressLine/cbc:Line"),
        city=node.text("cbc:CityName"),
        postal_code=node.text("cbc:PostalZone"),
        subdivision=node.text("cbc:CountrySubentity"),
        country=country(node, "cac:Country/cbc:IdentificationCode"),
    )


def _tax_numbers(node: Node) -> tuple[str, str]:
    """Return the VAT number (BT-31, BT-48) and any other tax number (BT-32)."""
    found: dict[bool, str] = {}
    for scheme in node.every("cac:PartyTaxScheme"):
        is_vat = scheme.text("cac:TaxScheme/cbc:ID").upper() == "VAT"
        number = scheme.text("cbc:CompanyID")
        if number and is_vat in found:
            raise UblRefused("PORTAL-ONCE", f"{node.where}: more than one tax number of a kind.")
        if number:
            found[is_vat] = number
    return found.get(True, ""), found.get(False, "")


def _identifiers(node: Node) -> str:
    found = [
        each.text("cbc:ID") for each in node.every("cac:PartyIdentification") if _scheme(each) != _CREDITOR
    ]
    return ", ".join(text for text in found if text)


def _scheme(identification: Node) -> str:
    node = identification.maybe("cbc:ID")
    return "" if node is None else node.attribute("schemeID")


def _means(invoice: Node) -> list[Node]:
    return [node.at("Payment") for node in invoice.every("cac:PaymentMeans")]
