"""Accounts, VAT numbers and addresses are recognized and written in one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Invalid
from kernel.identifiers import (
    check_email,
    clean_account,
    clean_bic,
    clean_vat_number,
    find_iban,
    format_account,
)
from kernel.text import clean_identifier

ANY = st.text(st.characters(exclude_categories=()))
IBAN = "DE79000000001234567890"
GROUPED = "DE79 0000 0000 1234 5678 90"


@pytest.mark.parametrize(
    ("account", "number"),
    [
        ("DE02120300000000202051", "DE02120300000000202051"),
        ("gb33 bukb 2020 1555 5555 55", "GB33BUKB20201555555555"),
        ("NO93 8601 1117 947", "NO9386011117947"),
        ("DE03120300000000202051", None),
        ("000123456789", None),
        ("普通 1234567", None),
        ("XX82 1234 5678 9012", None),
        # The check digits hold, the length is not that of the country.
        ("DE42 1203 0000 0000 2020 510", None),
        ("", None),
        ("IBAN", None),
    ],
)
def test_an_iban_has_the_form_of_its_country_and_its_check_digits(account: str, number: str | None) -> None:
    assert find_iban(account) == number


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\xad", "\u2060", "\ufeff", "\u200e", "\u202a", "\u200d", "\x00", "\xa0"], ids=ascii
)
@pytest.mark.parametrize("place", [0, 2, 4, 13, len(GROUPED)])
def test_invisible_characters_do_not_hide_an_iban(hidden: str, place: int) -> None:
    assert clean_account(GROUPED[:place] + hidden + GROUPED[place:]) == IBAN


@pytest.mark.parametrize(
    "label",
    [
        "IBAN ", "IBAN: ", "iban:", "IBAN", "IBAN-Nr. ", "IBAN-Nr.: ", "IBAN Nr ", "Iban no. ", "IBAN Nummer: ",
        "IBAN number ", "IBAN № ", "IBAN n° ", "(IBAN) ", "IBAN = ", "I\u200bBAN ", " IBAN\u00a0",
        "ＩＢＡＮ：", "IBAN-Code ",
    ],
    ids=ascii,
)  # fmt: skip
@pytest.mark.parametrize(
    "number", [GROUPED, IBAN.lower(), "NO93 8601 1117 947", "ＤＥ79-0000.0000 1234 5678 90"], ids=ascii
)
def test_a_label_does_not_hide_an_iban(label: str, number: str) -> None:
    assert clean_account(label + number) == ("NO9386011117947" if number.startswith("NO") else IBAN)


def test_an_iban_is_stored_compact_and_shown_in_fours() -> None:
    assert format_account("gb33bukb20201555555555") == "GB33 BUKB 2020 1555 5555 55"
    assert clean_account("gb33 bukb 2020 1555 5555 55") == "GB33BUKB20201555555555"


def test_any_other_account_stays_as_it_is_written() -> None:
    for clean in (clean_account, format_account):
        assert clean("  普通 1234567 ") == "普通 1234567"
        assert clean("Kto. 12-345\u200b 678") == "Kto. 12-345 678"
        assert clean("IBAN DE03 1203 0000 0000 2020 51") == "IBAN DE03 1203 0000 0000 2020 51"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("deut de ff", "DEUTDEFF"),
        ("DEUTDEFF\u200b500", "DEUTDEFF500"),
        ("Sort code 12-34-56", "Sort code 12-34-56"),
        ("", ""),
    ],
    ids=ascii,
)
def test_a_bic_is_stored_in_capitals(text: str, code: str) -> None:
    assert clean_bic(text) == code


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("DE 136 695 976", "DE136695976"),
        ("de136695976\u200b", "DE136695976"),
        ("ATU 57194903", "ATU57194903"),
        # Unknown or wrong numbers stay as they are written.
        ("DE 123456789", "DE 123456789"),
        ("CHE-107.787.577 MWST", "CHE-107.787.577 MWST"),
        ("GB 980 7806 84", "GB 980 7806 84"),
        ("", ""),
    ],
    ids=ascii,
)
def test_a_vat_number_of_the_union_is_stored_compact(text: str, number: str) -> None:
    assert clean_vat_number(text) == number


@pytest.mark.parametrize("digits", ["1", "DE7", "IBAN", "\u0661"], ids=ascii)
def test_a_long_text_is_no_number(digits: str) -> None:
    text = digits * 10_000
    assert [clean(text) for clean in (clean_account, format_account, clean_bic, clean_vat_number)] == [
        text
    ] * 4


@given(ANY)
def test_any_text_is_cleaned_once(text: str) -> None:
    for clean in (clean_account, format_account, clean_bic, clean_vat_number):
        assert clean(clean(text)) == clean(text)
        assert clean_identifier(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Ana@Buyer.Example", "ana@buyer.example"),
        (" a+b.c@x-y.co.uk ", "a+b.c@x-y.co.uk"),
        ("übung@xn--mller-kva.de", "übung@xn--mller-kva.de"),
        ("ana@müller.de", "ana@xn--mller-kva.de"),
        ("ana@mu\u0308ller.de", "ana@xn--mller-kva.de"),
        ("an\u200ba@buyer.example\ufeff", "ana@buyer.example"),
    ],
    ids=ascii,
)
def test_addresses_are_stored_in_lower_case(text: str, address: str) -> None:
    assert check_email(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a@b", "@b.example", "a@", "a b@c.example", "a@b.example, c@d.example",
        "a@b.example\nBcc: c@d.example", "<a@b.example>", f"{'a' * 65}@b.example",
        f"a@{'b' * 250}.example", "a..b@c.example", ".a@c.example",
        "a@-c.example", "a@[127.0.0.1]", "a@localhost", "a@host.invalid", "a@xn--zz.example", "Ana <a@b.example>",
    ],
    ids=ascii,
)  # fmt: skip
def test_other_texts_are_no_addresses(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_email(text)
    assert caught.value.code == "email.invalid"


@given(ANY | st.emails())
def test_an_address_is_refused_or_stored_in_one_form(text: str) -> None:
    try:
        address = check_email(text)
    except Invalid:
        return
    assert check_email(address) == address
    assert len(address) <= 254
