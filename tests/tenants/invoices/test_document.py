"""The paper and the reading list: what they say, how figures align, and what no text can break."""

from __future__ import annotations

import datetime as dt
import io
import re
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from kernel.language import Language
from tenants.invoices import document as package
from tenants.invoices.content import (
    Address,
    Adjustment,
    Attachment,
    Attribute,
    Card,
    Content,
    Debit,
    Delivery,
    DocumentType,
    Exemption,
    Line,
    Party,
    Period,
    PriceBasis,
    Tax,
    TaxCategory,
    Transfer,
)
from tenants.invoices.document import addresses
from tenants.invoices.document.accounts import find_holder
from tenants.invoices.document.model import CATALOGUES, document
from tenants.invoices.document.render import render_list, render_paper
from tenants.invoices.document.values import Document, DocumentBrand, DocumentLogo, Figures, Sum, SumKind
from tenants.invoices.totals import totals

VAT19 = Tax(TaxCategory.STANDARD, Decimal(19))
VAT7 = Tax(TaxCategory.STANDARD, Decimal(7))
SELLER = Party(
    name="Nordlicht GmbH",
    address=Address(street="Speicherstraße 14", city="Hamburg", postal_code="20457", country="DE"),
    vat_id="DE123456789",
)
BUYER = Party(name="Müller KG", address=Address(city="Göttingen", postal_code="37079", country="DE"))
BRAND = DocumentBrand("Nordlicht")
MINUS = "\N{MINUS SIGN}"


def line(price: str = "100", quantity: str = "1", *, tax: Tax = VAT19, **more: Any) -> Line:
    return Line(more.pop("name", "Work"), Decimal(quantity), Decimal(price), tax, **more)


def content(*lines: Line, currency: str = "EUR", **more: Any) -> Content:
    given: dict[str, Any] = {
        "currency": currency,
        "seller": SELLER,
        "buyer": BUYER,
        "lines": lines or (line(),),
    }
    return Content(**(given | more))


def drawn(what: Content, tag: str = "en-GB", *, brand: DocumentBrand = BRAND) -> Document:
    language = Language.load(tag, (CATALOGUES,))
    return document(what, totals(what), "R-1", language, brand=brand)


def sums_of(paper: Document) -> list[tuple[str, str]]:
    return [(each.label, each.amount) for each in paper.sums]


class _Reader(HTMLParser):
    """Collects tags, attributes and text; complains about what is not closed."""

    VOID = frozenset({"img", "link", "meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = io.StringIO()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.write(data)


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


# What the rows and totals say.


def test_a_small_invoice_is_told_in_the_fewest_steps() -> None:
    assert sums_of(drawn(content())) == [
        ("Total before tax", "100.00"),
        ("VAT 19%", "19.00"),
        ("Total (EUR)", "119.00"),
    ]


def test_several_rates_name_what_each_is_computed_on() -> None:
    paper = drawn(content(line(), line("50", tax=VAT7)), "de-DE")
    assert sums_of(paper) == [
        ("Nettobetrag", "150,00"),
        ("USt. 19\N{NO-BREAK SPACE}% auf 100,00", "19,00"),
        ("USt. 7\N{NO-BREAK SPACE}% auf 50,00", "3,50"),
        ("Rechnungsbetrag (EUR)", "172,50"),
    ]
    assert [row.tax for row in paper.rows] == ["19\N{NO-BREAK SPACE}%", "7\N{NO-BREAK SPACE}%"]
    assert paper.columns.tax == "Steuer"


def test_allowances_charges_prepayment_and_rounding_are_steps_in_their_order() -> None:
    what = content(
        adjustments=(
            Adjustment(is_charge=False, percent=Decimal(10), reason="Loyalty", tax=VAT19),
            Adjustment(is_charge=True, amount=Decimal(5), tax=VAT19),
        ),
        prepaid=Decimal(50),
        rounding=Decimal("-0.05"),
    )
    assert sums_of(drawn(what)) == [
        ("Subtotal", "100.00"),
        ("Loyalty, 10%", f"{MINUS}10.00"),
        ("Surcharge", "5.00"),
        ("Total before tax", "95.00"),
        ("VAT 19%", "18.05"),
        ("Total including tax", "113.05"),
        ("Rounding", f"{MINUS}0.05"),
        ("Already paid", f"{MINUS}50.00"),
        ("Balance (EUR)", "63.00"),
    ]


def test_prices_that_contain_the_tax_keep_the_amount_that_was_promised() -> None:
    what = content(line("0.03", tax=Tax(TaxCategory.STANDARD, Decimal(20))), prices=PriceBasis.INCLUSIVE)
    paper = drawn(what)
    assert paper.includes_tax == "Prices and amounts of the lines include tax."
    assert [row.amount for row in paper.rows] == ["0.03"]
    assert sums_of(paper)[-1] == ("Total (EUR)", "0.03")
    assert drawn(content()).includes_tax == ""


def test_what_the_seller_owes_is_called_a_credit() -> None:
    paper = drawn(content(line("10", "-3")))
    assert [(row.quantity, row.amount) for row in paper.rows] == [(f"{MINUS}3", f"{MINUS}30.00")]
    assert sums_of(paper)[-1] == ("Credit in your favour (EUR)", f"{MINUS}35.70")


@pytest.mark.parametrize(
    ("tax", "label"),
    [
        (Tax(TaxCategory.ZERO), "VAT 0%"),
        (Tax(TaxCategory.EXEMPT), "Exempt from tax"),
        (Tax(TaxCategory.REVERSE_CHARGE), "Reverse charge"),
        (Tax(TaxCategory.INTRA_COMMUNITY), "Intra-Community supply"),
        (Tax(TaxCategory.EXPORT), "Export, free of tax"),
        (Tax(TaxCategory.OUTSIDE_SCOPE), "Not subject to tax"),
        (Tax(TaxCategory.CANARY_ISLANDS, Decimal(7)), "IGIC 7%"),
        (Tax(TaxCategory.CEUTA_MELILLA, Decimal(4)), "IPSI 4%"),
    ],
)
def test_every_tax_category_has_its_name(tax: Tax, label: str) -> None:
    assert [each.label for each in drawn(content(line(tax=tax))).sums if each.kind is SumKind.TAX] == [label]


def test_a_seller_without_vat_id_charges_tax_not_vat() -> None:
    what = content(seller=msgspec.structs.replace(SELLER, vat_id=""))
    assert sums_of(drawn(what))[1] == ("Tax 19%", "19.00")


def test_figures_of_one_column_have_the_same_digits() -> None:
    paper = drawn(content(line("1.5", "2"), line("0.125", "0.75"), line("12", "1000")))
    assert [row.quantity for row in paper.rows] == ["2.00", "0.75", "1,000.00"]
    assert [row.price for row in paper.rows] == ["1.500", "0.125", "12.000"]


def test_whole_things_are_not_counted_in_hundredths() -> None:
    paper = drawn(
        content(line(quantity="3.25", unit="MTR"), line(quantity="-2"), line(quantity="4", unit="MTR"))
    )
    assert [row.quantity for row in paper.rows] == ["3.25", f"{MINUS}2", "4.00"]


def test_a_price_with_very_many_digits_does_not_lengthen_the_others() -> None:
    paper = drawn(content(line("0.00123456"), line("3")))
    assert [row.price for row in paper.rows] == ["0.00123456", "3.00"]


@pytest.mark.parametrize(("code", "amount"), [("JPY", "100"), ("EUR", "100.00"), ("BHD", "100.000")])
def test_amounts_have_the_digits_of_their_currency(code: str, amount: str) -> None:
    paper = drawn(content(currency=code))
    assert [row.amount for row in paper.rows] == [amount]
    assert paper.columns.amount == f"Amount ({code})"


def test_a_price_for_a_hundred_says_so() -> None:
    paper = drawn(content(line("250", "40", base_quantity=Decimal(100), unit="KGM")))
    assert [(row.price, row.per, row.unit) for row in paper.rows] == [("250.00", "per 100 kg", "kg")]


def test_a_line_tells_its_discount_period_article_and_note() -> None:
    what = content(
        line(
            description="In the evening",
            item_number="A-7",
            note="Second floor",
            period=Period(dt.date(2026, 3, 1), dt.date(2026, 3, 31)),
            adjustments=(Adjustment(is_charge=False, percent=Decimal("2.5")),),
        )
    )
    (row,) = drawn(what).rows
    assert row.remarks == ("In the evening", "Item A-7", "1 Mar 2026 – 31 Mar 2026", "Second floor")
    assert [(each.label, each.amount) for each in row.adjustments] == [("Discount, 2.5%", f"{MINUS}2.50")]


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [(dt.date(2026, 3, 1), None, "from 1 Mar 2026"), (None, dt.date(2026, 3, 1), "until 1 Mar 2026")],
)
def test_a_period_with_one_end_says_which(start: dt.date | None, end: dt.date | None, words: str) -> None:
    facts = {fact.label: fact.value for fact in drawn(content(period=Period(start, end))).details}
    assert facts == {"Period": words}


def test_columns_that_say_nothing_are_left_out() -> None:
    plain = drawn(content()).columns
    full = drawn(content(line(unit="HUR"), line(tax=VAT7))).columns
    assert (plain.position, plain.unit, plain.tax, plain.before_amount) == ("", "", "", 3)
    assert (full.position, full.unit, full.tax, full.before_amount) == ("No.", "Unit", "Tax", 6)


@pytest.mark.parametrize(
    ("price", "figures"),
    [("99999.99", Figures.NORMAL), ("98765432109.87", Figures.LONG), ("9999999999999.99", Figures.HUGE)],
)
def test_long_amounts_are_set_smaller_instead_of_wrapped(price: str, figures: Figures) -> None:
    assert drawn(content(line(price, tax=Tax(TaxCategory.OUTSIDE_SCOPE)))).figures is figures


@pytest.mark.parametrize("kind", list(DocumentType))
def test_every_type_of_document_has_a_title_of_its_own(kind: DocumentType) -> None:
    titles = {drawn(content(document_type=each), "de-DE").title for each in DocumentType}
    assert len(titles) == len(DocumentType)
    assert drawn(content(document_type=kind)).title.lower().endswith("invoice")


def test_references_dates_remarks_and_attachments_are_said() -> None:
    what = content(
        issue_date=dt.date(2026, 3, 1),
        due_date=dt.date(2026, 3, 15),
        delivery_date=dt.date(2026, 2, 27),
        buyer_reference="04011000-12345-34",
        purchase_order="PO-1",
        sales_order="SO-2",
        contract="C-3",
        project="P-4",
        preceding_invoice="R-0",
        payment_terms="14 days net",
        exemptions=(Exemption(TaxCategory.EXEMPT, "Education"), Exemption(TaxCategory.ZERO, "", "VATEX-1")),
        attachments=(Attachment("hours", "Time sheet", "hours.pdf"), Attachment("plain")),
    )
    paper = drawn(what)
    assert [fact.label for fact in paper.details] == [
        "Issued", "Due date", "Delivered", "Your reference", "Purchase order", "Sales order", "Contract", "Project",
        "Refers to invoice",
    ]  # fmt: skip
    assert [(fact.label, fact.value) for fact in paper.remarks] == [
        ("Payment terms", "14 days net"),
        ("Tax note", "Education"),
        ("Tax note", "Exempt from VAT (VATEX-1)."),
        ("Attachment", "Time sheet · hours.pdf"),
        ("Attachment", "plain"),
    ]


@pytest.mark.parametrize(
    ("code", "english", "german"),
    [
        (
            "VATEX-EU-AE",
            "Reverse charge: the recipient owes the VAT.",
            "Steuerschuldnerschaft des Leistungsempfängers.",
        ),
        (
            "vatex-eu-ic",
            "Intra-Community supply, exempt from VAT.",
            "Steuerfreie innergemeinschaftliche Lieferung.",
        ),
        (
            "VATEX-EU-132-1A",
            "Exempt from VAT under Article 132(1)(a) of Directive 2006/112/EC.",
            "Steuerfrei nach Artikel 132(1)(a) der Richtlinie 2006/112/EG.",
        ),
        (
            "VATEX-EU-79-C",
            "Exempt from VAT under Article 79(c) of Directive 2006/112/EC.",
            "Steuerfrei nach Artikel 79(c) der Richtlinie 2006/112/EG.",
        ),
        (
            "VATEX-EU-309",
            "Exempt from VAT under Article 309 of Directive 2006/112/EC.",
            "Steuerfrei nach Artikel 309 der Richtlinie 2006/112/EG.",
        ),
        ("VATEX-FR-FRANCHISE", "Exempt from VAT (VATEX-FR-FRANCHISE).", "Steuerfrei (VATEX-FR-FRANCHISE)."),
    ],
)
def test_the_code_of_an_exemption_is_told_as_a_sentence(code: str, english: str, german: str) -> None:
    what = content(
        exemptions=(Exemption(TaxCategory.EXEMPT, "", code), Exemption(TaxCategory.EXEMPT, "", ""))
    )
    for tag, sentence in (("en-GB", english), ("de-DE", german)):
        assert [fact.value for fact in drawn(what, tag).remarks] == [sentence]


def test_ways_to_pay_delivery_and_taxes_elsewhere_are_said() -> None:
    payee = Party(name="Factor Bank", registration="HRB 9")
    what = content(
        payment_means=("Card", "Debit"),
        card=Card("4242", "A. Silva"),
        debit=Debit("M-1", "DE98ZZZ09999999999", "DE02120300000000202051"),
        payee=payee,
        delivery=Delivery("Plant 2", "Gate 4", Address(city="Wien", postal_code="1010", country="AT")),
        tax_representative=Party(name="Vertreter GmbH", vat_id="DE111"),
        tax_currency="CZK",
        tax_in_tax_currency=Decimal("480.5"),
    )
    assert [(fact.label, fact.value) for fact in drawn(what).remarks] == [
        ("Means of payment", "Card · Debit"),
        ("Paid by card", "•••• 4242 · A. Silva"),
        ("Direct debit", "Mandate M-1\nCreditor DE98ZZZ09999999999\nAccount DE02 1203 0000 0000 2020 51"),
        ("Payable to", "Factor Bank\nHRB 9"),
        ("Delivered to", "Plant 2\n1010 Wien\nAustria\nGate 4"),
        ("Tax representative", "Vertreter GmbH\nDE111"),
        ("Tax in CZK", "480.50"),
    ]


def test_a_line_keeps_every_number_it_came_with() -> None:
    what = content(
        line(
            attributes=(Attribute("Colour", "green"),),
            buyer_item_number="B-1",
            standard_item_number="4012345678901",
            order_line="3",
            object_identifier="O-4",
            accounting_reference="K-5",
            origin_country="AT",
            price_discount=Decimal("1.25"),
        )
    )
    assert drawn(what).rows[0].remarks == (
        "Colour: green",
        "Your item B-1",
        "Standard item 4012345678901",
        "Order line 3",
        "Object O-4",
        "Your account K-5",
        "Made in Austria",
        "Price already reduced by 1.25",
    )


def test_an_account_quotes_the_number_of_the_invoice_unless_it_says_otherwise() -> None:
    iban = Transfer(account="DE02120300000000202051", holder="Nordlicht", bic="BYLADEM1001", bank="DKB")
    paper = drawn(content(transfers=(iban, Transfer(account=" 12-3456 ", reference="Case 9"))))
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
    paper = drawn(content(transfers=two), "de-DE")
    assert [[fact.value for fact in account.facts] for account in paper.accounts] == [
        ["Nordlicht GmbH", "1"],
        ["Nordlicht GmbH", "2"],
    ]
    assert [(fact.label, fact.value) for fact in paper.accounts_common] == [("Verwendungszweck", "R-1")]
    assert render_paper(paper).count('<p class="or">oder</p>') == 1
    assert drawn(content(transfers=two[:1])).accounts_common == ()


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
    paper = drawn(content(line(price, quantity), transfers=transfers, prepaid=Decimal(prepaid)))
    printed = read(render_paper(paper)).text.getvalue()
    assert ["Bank transfer" in printed, "12-3450" in printed, "Case 9" in printed] == [is_shown] * 3
    assert "12-3450" not in read(render_list(paper)).text.getvalue()


def test_an_account_whose_holder_is_not_said_is_the_payees_else_the_sellers() -> None:
    said, unsaid = Transfer(account="1", holder="Nordlicht"), Transfer(account="2")
    factored = content(payee=Party(name="Factor Bank"))
    assert [find_holder(each, content()) for each in (said, unsaid)] == ["Nordlicht", "Nordlicht GmbH"]
    assert [find_holder(each, factored) for each in (said, unsaid)] == ["Nordlicht", "Factor Bank"]


# Accounts and addresses.


@pytest.mark.parametrize(
    ("address", "lines"),
    [
        (SELLER.address, ("Speicherstraße 14", "20457 Hamburg", "Germany")),
        (
            Address(
                street="548 Market St",
                city="San Francisco",
                subdivision="CA",
                postal_code="94104",
                country="US",
            ),
            ("548 Market St", "San Francisco, CA 94104", "United States"),
        ),
        (
            Address(street="4 Wharf", city="Bristol", postal_code="BS1 6UX", country="GB"),
            ("4 Wharf", "Bristol", "BS1 6UX"),
        ),
        (
            Address(
                street="丸の内1丁目9番2号",
                city="千代田区",
                subdivision="東京都",
                postal_code="100-0005",
                country="JP",
            ),
            ("〒100-0005", "東京都千代田区", "丸の内1丁目9番2号", "Japan"),
        ),
        (Address(city="Manama", postal_code="304", country="BH"), ("Manama 304", "Bahrain")),
        (Address(), ()),
    ],
)
def test_an_address_is_written_as_in_its_own_country(address: Address, lines: tuple[str, ...]) -> None:
    assert addresses.address_lines(address, Language.load("en-GB"), home="GB") == lines


# The paper and the list as HTML.

HOSTILE = "</td></table></template><script>alert(1)</script><img src=x onerror=alert(1)>\"'&😀"


def hostile() -> Content:
    words: dict[str, Any] = {"description": HOSTILE, "note": HOSTILE, "item_number": HOSTILE, "unit": HOSTILE}
    bad = Party(
        name=HOSTILE, address=Address(street=HOSTILE, city=HOSTILE), vat_id=HOSTILE, legal_note=HOSTILE
    )
    return content(
        line(
            name=HOSTILE,
            adjustments=(Adjustment(is_charge=True, amount=Decimal(1), reason=HOSTILE),),
            **words,
        ),
        line(),
        seller=bad,
        buyer=bad,
        notes=(HOSTILE,),
        buyer_reference=HOSTILE,
        payment_terms=HOSTILE,
        transfers=(Transfer(account=HOSTILE, holder=HOSTILE),),
    )


@pytest.mark.parametrize("render", [render_paper, render_list])
def test_no_text_of_an_invoice_becomes_markup(render: Any) -> None:
    logo = DocumentLogo('/brand/"onload="x.png', 10, 10)
    reader = read(render(drawn(hostile(), brand=DocumentBrand(HOSTILE, logo))))
    assert not {"script", "template", "style", "iframe"} & set(reader.tags)
    assert not {name for name in reader.attributes if name.startswith("on")}
    assert reader.text.getvalue().count("<script>alert(1)</script>") >= 5


@pytest.mark.parametrize("render", [render_paper, render_list])
def test_nothing_carries_a_style_of_its_own(render: Any) -> None:
    assert "style" not in read(render(drawn(hostile()))).attributes


def test_the_tagged_paper_has_no_figures_and_no_lists_and_every_image_has_words() -> None:
    paper = render_paper(
        drawn(content(line(), line()), brand=DocumentBrand("Acme", DocumentLogo("/l.png", 90, 20)))
    )
    assert not {"figure", "li", "ul", "ol", "dl"} & set(read(paper).tags)
    assert re.findall(r"<img [^>]*>", paper) == ['<img src="/l.png" width="90" height="20" alt="Acme">']


def test_without_a_logo_the_name_is_set_as_text() -> None:
    paper = render_paper(drawn(content()))
    assert "<img" not in paper
    assert '<p class="name" dir="auto">Nordlicht</p>' in paper


@pytest.mark.parametrize("render", [render_paper, render_list])
def test_paper_and_list_say_the_same_amounts(render: Any) -> None:
    paper = drawn(content(line("1234.5", "3"), line("-0", "2"), line("10", "-1")), "de-DE")
    text = read(render(paper)).text.getvalue()
    for amount in [*(row.amount for row in paper.rows), *(each.amount for each in paper.sums)]:
        assert amount in text


def test_the_list_tells_the_parties_and_particulars_that_the_paper_tells() -> None:
    what = content(issue_date=dt.date(2026, 3, 1), delivery_date=dt.date(2026, 2, 27), purchase_order="PO-1")
    paper = drawn(what, "de-DE")
    text = read(render_list(paper)).text.getvalue()
    told = [*paper.seller.lines, *paper.buyer.lines]
    for fact in (*paper.seller.facts, *paper.buyer.facts, *paper.details):
        told += [fact.label, fact.value]
    assert [
        each for each in (paper.seller.name, "Angaben zur Rechnung", "DE123456789", *told) if each not in text
    ] == []


def test_what_happened_since_the_issue_stands_below_the_totals_of_the_list_only() -> None:
    paper = drawn(content())
    since = (
        Sum(SumKind.STEP, "Paid so far", f"{MINUS}19.00"),
        Sum(SumKind.PAYABLE, "Amount due (EUR)", "100.00"),
    )
    rows = re.findall(r'<div class="(\w+)"><dt><bdi>([^<]*)', render_list(paper, since=since))
    assert rows[-3:] == [
        ("total", "Total (EUR)"),
        ("step", "Paid so far"),
        ("payable", "Amount due (EUR)"),
    ]
    assert re.findall(r'<div class="payable"><dt><bdi>([^<]*)', render_list(paper)) == ["Total (EUR)"]


def test_a_thousand_lines_are_a_thousand_rows() -> None:
    paper = drawn(content(*(line(name=f"Line {index}") for index in range(1000))))
    assert render_paper(paper).count('<td class="item"') == 1000
    assert render_list(paper).count("<li>") == 1000


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_last_line_is_a_group_of_its_own_so_that_the_totals_can_take_it_along(count: int) -> None:
    html = render_paper(drawn(content(*(line(name=f"Line {index}") for index in range(count)))))
    groups = [group.count("<tr") for group in re.findall(r"<tbody.*?</tbody>", html, re.DOTALL)]
    assert groups == [*([count - 1] if count > 1 else []), 1, 3]


def test_words_are_english_and_numbers_local_where_there_is_no_catalogue() -> None:
    paper = drawn(content(line("1234.5")), "ar-BH")
    assert (paper.language, paper.content_language, paper.direction) == ("en", "ar-BH", "rtl")
    html = render_paper(paper)
    assert 'lang="en" dir="rtl"' in html
    assert '<td class="item" lang="ar-BH">' in html
    assert drawn(content(), "de-AT").content_language == ""


def test_the_amount_cells_hold_the_amount_and_nothing_else() -> None:
    html = render_paper(drawn(content(line("1234.5"))))
    assert '<td class="figure amount">1,234.50</td>' in html


@given(
    st.text(max_size=80),
    st.decimals("0", "1e9", places=4),
    st.sampled_from(["en-US", "de-DE", "ja-JP", "he-IL"]),
)
def test_any_text_and_price_makes_a_whole_paper_and_list(name: str, price: Decimal, tag: str) -> None:
    paper = drawn(content(line(str(price), name=name)), tag)
    read(render_paper(paper))
    read(render_list(paper))


# The catalogues.

_KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


def used_messages() -> set[tuple[str | None, str | tuple[str, ...]]]:
    folder = Path(package.__path__[0])
    found = extract_from_dir(folder, [("**.py", "python")], {}, _KEYWORDS)
    return {(context, message) for _, _, message, _, context in found}


@pytest.mark.parametrize("tag", ["en", "de"])
def test_the_catalogue_has_every_word_of_the_document_and_no_other(tag: str) -> None:
    with (CATALOGUES / tag / "LC_MESSAGES" / "document.po").open("rb") as source:
        catalogue = read_po(source, abort_invalid=True)
    told = {(each.context, each.id) for each in catalogue if each.id}
    assert told == used_messages()
    assert [each.id for each in catalogue if each.id and (each.fuzzy or not each.string)] == []
    for each in catalogue:
        if each.id and isinstance(each.string, str):
            assert re.findall(r"%\(\w+\)s", each.string) == re.findall(r"%\(\w+\)s", str(each.id))


def test_the_english_catalogue_says_what_the_code_says() -> None:
    with (CATALOGUES / "en" / "LC_MESSAGES" / "document.po").open("rb") as source:
        assert [each.id for each in read_po(source) if each.id and each.id != each.string] == []
