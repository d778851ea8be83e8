"""Reads the parties, the delivery and the means of payment of a UBL invoice."""

from __future__ import annotations

import re
from typing import Final

from tenants.invoices.content import Address, Card, Debit, Delivery, Party, Transfer
from tenants.invoices.ubl.node import Node, UblRefused

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_EMAIL_SCHEME: Final = "EM"
_CREDITOR_SCHEME: Final = "SEPA"
# First six and last four (BR-51); a full card number must not be stored (PCI DSS 3.4).
_MAX_CARD_DIGITS: Final = 10


def read_seller(invoice: Node) -> Party:
    """Return BG-4; UblRefused for a missing name (BR-06), address (BR-08) or country (BR-09)."""
    node = invoice.require("cac:AccountingSupplierParty/cac:Party", "BR-06").with_location("Seller")
    return _read_party(node, name_rule="BR-06", address_rule="BR-08", country_rule="BR-09")


def read_buyer(invoice: Node) -> Party:
    """Return BG-7; UblRefused for a missing name (BR-07), address (BR-10) or country (BR-11)."""
    node = invoice.require("cac:AccountingCustomerParty/cac:Party", "BR-07").with_location("Buyer")
    return _read_party(node, name_rule="BR-07", address_rule="BR-10", country_rule="BR-11")


def read_payee(invoice: Node) -> Party | None:
    """Return BG-10, who is paid instead of the seller; UblRefused(BR-17) for a missing name."""
    node = invoice.find("cac:PayeeParty")
    if node is None:
        return None
    node = node.with_location("Payee")
    return Party(
        name=node.require_text("cac:PartyName/cbc:Name", "BR-17"),
        identifier=_read_identifiers(node),
        registration=node.read_text("cac:PartyLegalEntity/cbc:CompanyID"),
    )


def read_tax_representative(invoice: Node) -> Party | None:
    """Return BG-11; UblRefused for a missing name (BR-18), address (BR-19), country (BR-20) or VAT number (BR-56)."""
    node = invoice.find("cac:TaxRepresentativeParty")
    if node is None:
        return None
    node = node.with_location("Tax representative")
    vat_id, _ = _read_tax_numbers(node)
    if not vat_id:
        raise UblRefused("BR-56", "Tax representative: the VAT number is missing.")
    return Party(
        name=node.require_text("cac:PartyName/cbc:Name", "BR-18"),
        address=_read_address(node.require("cac:PostalAddress", "BR-19"), "BR-20"),
        vat_id=vat_id,
    )


def read_delivery(invoice: Node) -> Delivery | None:
    """Return BG-13 without its date, or None; UblRefused(BR-57) for an address without a country."""
    node = invoice.find("cac:Delivery")
    if node is None:
        return None
    node = node.with_location("Delivery")
    place = node.find("cac:DeliveryLocation/cac:Address")
    found = Delivery(
        name=node.read_text("cac:DeliveryParty/cac:PartyName/cbc:Name"),
        location=node.read_text("cac:DeliveryLocation/cbc:ID"),
        address=Address() if place is None else _read_address(place, "BR-57"),
    )
    return None if found == Delivery() else found


def read_transfers(invoice: Node) -> tuple[Transfer, ...]:
    """Return the accounts for credit transfers (BG-17); UblRefused(BR-50) for a missing account number."""
    return tuple(
        Transfer(
            account=account.require_text("cbc:ID", "BR-50"),
            holder=account.read_text("cbc:Name"),
            bic=account.read_text("cac:FinancialInstitutionBranch/cbc:ID"),
            bank=account.read_text("cac:FinancialInstitutionBranch/cac:FinancialInstitution/cbc:Name"),
            reference=means.read_text("cbc:PaymentID"),
        )
        for means in _find_means(invoice)
        for account in (means.find("cac:PayeeFinancialAccount"),)
        if account is not None
    )


def read_payment_means(invoice: Node) -> tuple[str, ...]:
    """Return the texts of the means of payment (BT-82); UblRefused(BR-49) for a missing code."""
    texts = []
    for means in _find_means(invoice):
        means.require_text("cbc:PaymentMeansCode", "BR-49")
        texts.append(means.require("cbc:PaymentMeansCode", "BR-49").read_attribute("name"))
    return tuple(dict.fromkeys(text for text in texts if text))


def read_card(invoice: Node) -> Card | None:
    """Return the payment card (BG-18), or None; UblRefused(BR-51) for more than its first six and last four digits."""
    found = [node for means in _find_means(invoice) if (node := means.find("cac:CardAccount")) is not None]
    if not found:
        return None
    if len(found) > 1:
        raise UblRefused("PORTAL-ONCE", "Payment: there is more than one card.")
    number = found[0].require_text("cbc:PrimaryAccountNumberID", "BR-51")
    if len(number) > _MAX_CARD_DIGITS:
        raise UblRefused("BR-51", "Payment: an invoice must not have the full number of a card.")
    return Card(number=number, holder=found[0].read_text("cbc:HolderName"))


def read_debit(invoice: Node) -> Debit | None:
    """Return the direct debit (BG-19), or None."""
    found = [node for means in _find_means(invoice) if (node := means.find("cac:PaymentMandate")) is not None]
    if not found:
        return None
    if len(found) > 1:
        raise UblRefused("PORTAL-ONCE", "Payment: there is more than one direct debit.")
    creditors = [
        text
        for path in ("cac:PayeeParty", "cac:AccountingSupplierParty/cac:Party")
        for each in invoice.find_all(f"{path}/cac:PartyIdentification")
        if (text := each.read_text("cbc:ID")) and _read_scheme(each) == _CREDITOR_SCHEME
    ]
    return Debit(
        mandate=found[0].read_text("cbc:ID"),
        creditor=creditors[0] if creditors else "",
        account=found[0].read_text("cac:PayerFinancialAccount/cbc:ID"),
    )


def read_country(node: Node, path: str) -> str:
    """Return an ISO 3166-1 alpha-2 code, "" if it is missing; UblRefused(BR-CL-14) if it has another form."""
    code = node.read_text(path)
    if code and not _COUNTRY.fullmatch(code):
        raise UblRefused("BR-CL-14", f"{node.location}: {code[:40]!r} is not a country code.")
    return code


def _read_party(node: Node, *, name_rule: str, address_rule: str, country_rule: str) -> Party:
    vat_id, tax_number = _read_tax_numbers(node)
    endpoint = node.find("cbc:EndpointID")
    # Scheme EM (EAS): the electronic address is an e-mail address. It is used when the contact has none.
    endpoint_email = (
        node.read_text("cbc:EndpointID")
        if endpoint and endpoint.read_attribute("schemeID") == _EMAIL_SCHEME
        else ""
    )
    return Party(
        name=node.require_text("cac:PartyLegalEntity/cbc:RegistrationName", name_rule),
        trading_name=node.read_text("cac:PartyName/cbc:Name"),
        address=_read_address(node.require("cac:PostalAddress", address_rule), country_rule),
        vat_id=vat_id,
        tax_number=tax_number,
        registration=node.read_text("cac:PartyLegalEntity/cbc:CompanyID"),
        legal_note=node.read_text("cac:PartyLegalEntity/cbc:CompanyLegalForm"),
        identifier=_read_identifiers(node),
        contact_name=node.read_text("cac:Contact/cbc:Name"),
        phone=node.read_text("cac:Contact/cbc:Telephone"),
        email=node.read_text("cac:Contact/cbc:ElectronicMail") or endpoint_email,
    )


def _read_address(node: Node, country_rule: str) -> Address:
    node.require_text("cac:Country/cbc:IdentificationCode", country_rule)
    return Address(
        street=node.read_text("cbc:StreetName"),
        additional=node.read_text("cbc:AdditionalStreetName"),
        line=node.read_text("cac:AddressLine/cbc:Line"),
        city=node.read_text("cbc:CityName"),
        postal_code=node.read_text("cbc:PostalZone"),
        subdivision=node.read_text("cbc:CountrySubentity"),
        country=read_country(node, "cac:Country/cbc:IdentificationCode"),
    )


def _read_tax_numbers(node: Node) -> tuple[str, str]:
    """Return the VAT number (BT-31, BT-48) and any other tax number (BT-32)."""
    found: dict[bool, str] = {}
    for scheme in node.find_all("cac:PartyTaxScheme"):
        is_vat = scheme.read_text("cac:TaxScheme/cbc:ID").upper() == "VAT"
        number = scheme.read_text("cbc:CompanyID")
        if number and is_vat in found:
            raise UblRefused(
                "PORTAL-ONCE", f"{node.location}: there is more than one tax number of one kind."
            )
        if number:
            found[is_vat] = number
    return found.get(True, ""), found.get(False, "")


def _read_identifiers(node: Node) -> str:
    found = [
        each.read_text("cbc:ID")
        for each in node.find_all("cac:PartyIdentification")
        if _read_scheme(each) != _CREDITOR_SCHEME
    ]
    return ", ".join(text for text in found if text)


def _read_scheme(identification: Node) -> str:
    node = identification.find("cbc:ID")
    return "" if node is None else node.read_attribute("schemeID")


def _find_means(invoice: Node) -> list[Node]:
    return [node.with_location("Payment") for node in invoice.find_all("cac:PaymentMeans")]
