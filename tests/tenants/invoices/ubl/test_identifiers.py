"""Accounts and numbers of a document are recognized, whatever stands invisibly in them."""

from __future__ import annotations

import pytest

from tenants.invoices.content import Transfer
from tenants.invoices.ubl import UblRefused, parse, read_ubl
from tests.fakes.ubl_writer import change_texts, read_case

ACCOUNT = "cac:PaymentMeans/cac:PayeeFinancialAccount/cbc:ID"
IBAN = "DE79000000001234567890"
GROUPED = "DE79 0000 0000 1234 5678 90"
INVISIBLE = (
    "\u200b",
    "\xad",
    "\u2060",
    "\ufeff",
    "\u200c",
    "\u200d",
    "\u200e",
    "\u200f",
    "\u2066",
    "\ufe0f",
    "\U000e0041",
)


@pytest.mark.parametrize("name", ["ib-zwsp", "ib-shy", "ib-prefix", "zwa", "zwb"])
def test_an_account_is_read_as_an_iban(name: str) -> None:
    assert [transfer.account for transfer in parse(read_case(name)).content.transfers] == [IBAN]


@pytest.mark.parametrize("hidden", INVISIBLE, ids=ascii)
@pytest.mark.parametrize(
    "text",
    [
        f"{GROUPED}!",
        f"!{IBAN}",
        f"IBAN!:{GROUPED.lower()}",
        f"I!BAN-Nr. {GROUPED}",
        "DE79!0000 00001234567890",
    ],
)
def test_an_iban_is_read_wherever_something_invisible_is(text: str, hidden: str) -> None:
    document = change_texts(read_case("ib-zwsp"), {ACCOUNT: text.replace("!", hidden)})
    assert parse(document).content.transfers[0].account == IBAN


@pytest.mark.parametrize("text", ["12-345 678", "普通 1234567", "IBAN DE79 0000 0000 1234 5678 91"])
def test_another_account_is_read_as_it_is_written(text: str) -> None:
    assert parse(change_texts(read_case("ib-zwsp"), {ACCOUNT: f"\u200b {text}"})).content.transfers == (
        Transfer(text),
    )


@pytest.mark.parametrize("hidden", INVISIBLE, ids=ascii)
@pytest.mark.parametrize("place", [0, 1, 3, 4, 6])
def test_a_number_has_no_invisible_character(hidden: str, place: int) -> None:
    document = change_texts(read_case("zwa"), {"cbc:ID": "INV-77"[:place] + hidden + "INV-77"[place:]})
    assert read_ubl(document).number == "INV-77"
    assert {read_ubl(read_case(name)).number for name in ("zwa", "zwb")} == {"INV-77"}


def test_a_number_is_read_in_one_form() -> None:
    assert [read_ubl(read_case(name)).number for name in ("number-nfc", "number-nfd")] == ["NFD-\xe9"] * 2


@pytest.mark.parametrize("text", ["\u200b", "\xad \u2060", "\u200d", "\ufe0f\ufeff"], ids=ascii)
def test_a_number_of_invisible_characters_is_missing(text: str) -> None:
    with pytest.raises(UblRefused) as refused:
        parse(change_texts(read_case("zwa"), {"cbc:ID": text}))
    assert refused.value.data["rule"] == "BR-02"


def test_references_and_vat_numbers_are_cleaned() -> None:
    document = change_texts(
        read_case("zwb"),
        {
            "cbc:BuyerReference": "RE\u200dF-1",
            "cac:AccountingSupplierParty/cac:Party/cac:PartyTaxScheme/cbc:CompanyID": "DE 136\u200b695 976",
            "cac:InvoiceLine/cac:Item/cbc:Name": "می\u200cخواهم\u200e",
        },
    )
    content = parse(document).content
    assert (content.buyer_reference, content.seller.vat_id) == ("REF-1", "DE136695976")
    assert content.transfers[0].reference == "INV-77"
    assert content.lines[0].name == "می\u200cخواهم"
