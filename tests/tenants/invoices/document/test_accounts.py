from __future__ import annotations

from decimal import Decimal

import pytest

from tenants.invoices.content import (
    Party,
    Transfer,
)
from tenants.invoices.document.accounts import find_holder
from tenants.invoices.document.render import render_list, render_paper
from tests.fakes.document_models import (
    build_content,
    build_document,
    build_line,
    parse_html,
)


def test_an_account_quotes_the_number_of_the_invoice_unless_it_says_otherwise() -> None:
    iban = Transfer(account="DE02120300000000202051", holder="Nordlicht", bic="BYLADEM1001", bank="DKB")
    paper = build_document(build_content(transfers=(iban, Transfer(account=" 12-3456 ", reference="Case 9"))))
    assert [[(fact.label, fact.value) for fact in account.facts] for account in paper.accounts] == [
        [
            ("Account holder", "Nordlicht"),
            ("IBAN", "DE02 1203 0000 0000 2020 51"),
            ("BIC", "BYLADEM1001"),
            ("Bank", "DKB"),
            ("Reference", "R-1"),
        ],
        [("Account holder", "Nordlicht GmbH"), ("Account", "12-3456"), ("Reference", "Case 9")],
    ]


def test_two_accounts_are_a_choice_and_what_to_quote_is_said_once() -> None:
    two = (Transfer(account="1"), Transfer(account="2"))
    paper = build_document(build_content(transfers=two), "de-DE")
    assert [[fact.value for fact in account.facts] for account in paper.accounts] == [
        ["Nordlicht GmbH", "1"],
        ["Nordlicht GmbH", "2"],
    ]
    assert [(fact.label, fact.value) for fact in paper.accounts_reference] == [("Verwendungszweck", "R-1")]
    assert render_paper(paper).count('<p class="or">oder</p>') == 1
    assert build_document(build_content(transfers=two[:1])).accounts_reference == ()


@pytest.mark.parametrize(
    ("quantity", "price", "prepaid", "is_shown"),
    [
        ("1", "100", "0", True),
        ("1", "100", "118.99", True),
        ("1", "100", "119", False),
        ("1", "100", "120", False),
        ("1", "0", "0", False),
        ("-1", "100", "0", False),
    ],
)
@pytest.mark.parametrize("number", [1, 2])
def test_where_nothing_is_to_be_paid_no_bank_transfer_is_printed(
    quantity: str, price: str, prepaid: str, number: int, *, is_shown: bool
) -> None:
    transfers = tuple(Transfer(account=f"12-345{each}", reference="Case 9") for each in range(number))
    paper = build_document(
        build_content(build_line(price, quantity), transfers=transfers, prepaid=Decimal(prepaid))
    )
    printed = parse_html(render_paper(paper)).text.getvalue()
    assert ["Bank transfer" in printed, "12-3450" in printed, "Case 9" in printed] == [is_shown] * 3
    assert "12-3450" not in parse_html(render_list(paper)).text.getvalue()


def test_an_account_whose_holder_is_not_said_is_the_payees_else_the_sellers() -> None:
    said, unsaid = Transfer(account="1", holder="Nordlicht"), Transfer(account="2")
    factored = build_content(payee=Party(name="Factor Bank"))
    assert [find_holder(each, build_content()) for each in (said, unsaid)] == [
        "Nordlicht",
        "Nordlicht GmbH",
    ]
    assert [find_holder(each, factored) for each in (said, unsaid)] == ["Nordlicht", "Factor Bank"]
