"""What is checked before a customer or a contact is stored."""

from __future__ import annotations

import pytest

from kernel.errors import Invalid
from tenants.customers.values import check_name, drop_invalid_country, drop_invalid_email


def test_a_contact_of_a_foreign_document_has_an_address_or_none() -> None:
    assert drop_invalid_email(" Ana@Buyer.Example\u200b") == "ana@buyer.example"
    assert [drop_invalid_email(text) for text in ("", "a b@c.example", "a@b.example\nBcc: c@d.example")] == [
        ""
    ] * 3


def test_a_name_is_one_line_in_one_form() -> None:
    assert check_name(" Cafe\u0301\r\n\tRoyal\u0000\u202e ") == "Café Royal"
    assert check_name("x" * 500) == "x" * 500
    for wrong in ("", " \u200b\n", "x" * 501):
        with pytest.raises(Invalid) as caught:
            check_name(wrong)
        assert caught.value.code == "customer.name"


def test_a_country_is_a_code_or_left_out() -> None:
    assert [drop_invalid_country(code) for code in (" de", "DE", "", "Deutschland", "D1")] == [
        "DE",
        "DE",
        "",
        "",
        "",
    ]
