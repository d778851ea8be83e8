"""What is checked before a customer or a contact is stored."""

from __future__ import annotations

import pytest

from kernel.errors import Invalid
from tenants.customers.values import check_email, tidy, tolerated_country, tolerated_email


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Ana@Buyer.Example", "ana@buyer.example"),
        (" a+b.c@x-y.co.uk ", "a+b.c@x-y.co.uk"),
        ("übung@xn--mller-kva.de", "übung@xn--mller-kva.de"),
    ],
)
def test_addresses_are_kept_in_lower_case(written: str, meant: str) -> None:
    assert check_email(written) == meant == tolerated_email(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a",
        "a@b",
        "@b.example",
        "a@",
        "a b@c.example",
        "a@b.example, c@d.example",
        "a@b.example\nBcc: c@d.example",
        "<a@b.example>",
        f"{'a' * 65}@b.example",
        f"a@{'b' * 250}.example",
    ],
)
def test_what_is_no_single_address_is_refused(written: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_email(written)
    assert caught.value.code == "email.invalid"
    assert tolerated_email(written) == ""


def test_texts_are_one_line_in_one_spelling() -> None:
    assert tidy(" Cafe\u0301\r\n\tRoyal\u0000\u202e ") == "Café Royal"


def test_a_country_is_a_code_or_left_out() -> None:
    assert [tolerated_country(code) for code in (" de", "DE", "", "Deutschland", "D1")] == [
        "DE",
        "DE",
        "",
        "",
        "",
    ]
