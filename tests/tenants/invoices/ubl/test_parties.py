"""Who sells, who buys, who is paid and how: read from a UBL invoice."""

from __future__ import annotations

import pytest

from tenants.invoices.content import Debit, Transfer
from tenants.invoices.ubl import UblRefused, parse
from tests.fakes.ubl_writer import append_elements, change_texts, read_published, set_attribute

SELLER = "cac:AccountingSupplierParty/cac:Party"
MANDATE = (
    "<cac:PaymentMeans><cbc:PaymentMeansCode>59</cbc:PaymentMeansCode><cac:PaymentMandate><cbc:ID>M-1</cbc:ID>"
    "<cac:PayerFinancialAccount><cbc:ID>DE16000000002345678901</cbc:ID></cac:PayerFinancialAccount>"
    "</cac:PaymentMandate></cac:PaymentMeans>"
)
CREDITOR = (
    '<cac:PartyIdentification><cbc:ID schemeID="SEPA">DE98ZZZ09999999999</cbc:ID></cac:PartyIdentification>'
)


def test_a_direct_debit_names_mandate_creditor_and_account() -> None:
    content = parse(
        append_elements(append_elements(read_published("01.05a"), ".", MANDATE), SELLER, CREDITOR)
    ).content

    assert content.debit == Debit("M-1", "DE98ZZZ09999999999", "DE16000000002345678901")
    assert content.seller.identifier == ""


def test_the_creditor_may_be_the_payee() -> None:
    content = parse(
        append_elements(append_elements(read_published("02.01a"), ".", MANDATE), "cac:PayeeParty", CREDITOR)
    ).content

    assert content.debit is not None
    assert content.debit.creditor == "DE98ZZZ09999999999"
    assert content.payee is not None
    assert content.payee.identifier == "74"


@pytest.mark.parametrize(
    "twice",
    [
        MANDATE * 2,
        "<cac:PaymentMeans><cbc:PaymentMeansCode>48</cbc:PaymentMeansCode><cac:CardAccount>"
        "<cbc:PrimaryAccountNumberID>1234</cbc:PrimaryAccountNumberID></cac:CardAccount></cac:PaymentMeans>"
        * 2,
    ],
)
def test_two_debits_or_cards_are_refused(twice: str) -> None:
    with pytest.raises(UblRefused) as refused:
        parse(append_elements(read_published("01.05a"), ".", twice))
    assert refused.value.data["rule"] == "PORTAL-ONCE"


def test_an_account_keeps_its_bank() -> None:
    branch = (
        "<cac:FinancialInstitutionBranch><cbc:ID>GENODEF1ABC</cbc:ID><cac:FinancialInstitution>"
        "<cbc:Name>Volksbank</cbc:Name></cac:FinancialInstitution></cac:FinancialInstitutionBranch>"
    )
    document = append_elements(read_published("01.06a"), "cac:PaymentMeans/cac:PayeeFinancialAccount", branch)

    assert parse(document).content.transfers == (
        Transfer(account="DE79000000001234567890", bic="GENODEF1ABC", bank="Volksbank"),
    )


def test_two_numbers_of_one_kind_are_refused() -> None:
    scheme = (
        "<cac:PartyTaxScheme><cbc:CompanyID>DE999</cbc:CompanyID>"
        "<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:PartyTaxScheme>"
    )
    with pytest.raises(UblRefused) as refused:
        parse(append_elements(read_published("01.05a"), SELLER, scheme))
    assert refused.value.data["rule"] == "PORTAL-ONCE"


def test_several_identifiers_are_all_kept() -> None:
    more = "<cac:PartyIdentification><cbc:ID>X-2</cbc:ID></cac:PartyIdentification>"

    assert (
        parse(append_elements(read_published("03.06a"), SELLER, more)).content.seller.identifier
        == "116078, X-2"
    )


def test_an_electronic_address_of_another_scheme_is_no_mail_address() -> None:
    path = "cac:AccountingCustomerParty/cac:Party/cbc:EndpointID"
    document = set_attribute(read_published("01.06a"), path, "schemeID", "0088")

    assert parse(document).content.buyer.email == ""


def test_a_delivery_that_says_nothing_is_none() -> None:
    content = parse(read_published("03.06a")).content
    assert content.delivery is None
    assert content.delivery_date is not None


def test_a_name_that_would_run_backwards_is_made_plain() -> None:
    path = f"{SELLER}/cac:PartyLegalEntity/cbc:RegistrationName"
    document = change_texts(read_published("01.06a"), {path: "Acme\u202e gpj.exe\u2069\x85  Ltd"})
    assert parse(document).content.seller.name == "Acme gpj.exe Ltd"
