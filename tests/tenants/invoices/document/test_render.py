from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.invoices.content import (
    Address,
    Adjustment,
    Content,
    Party,
    Transfer,
)
from tenants.invoices.document.render import render_list, render_paper
from tenants.invoices.document.values import DocumentBrand, DocumentLogo, TotalRow, TotalRowKind
from tests.fakes.document_models import (
    MINUS,
    build_content,
    build_document,
    build_line,
    parse_html,
)

HOSTILE = "</td></table></template><script>alert(1)</script><img src=x onerror=alert(1)>\"'&😀"


def build_hostile_content() -> Content:
    words: dict[str, Any] = {"description": HOSTILE, "note": HOSTILE, "item_number": HOSTILE, "unit": HOSTILE}
    bad = Party(
        name=HOSTILE, address=Address(street=HOSTILE, city=HOSTILE), vat_id=HOSTILE, legal_note=HOSTILE
    )
    return build_content(
        build_line(
            name=HOSTILE,
            adjustments=(Adjustment(is_charge=True, amount=Decimal(1), reason=HOSTILE),),
            **words,
        ),
        build_line(),
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
    reader = parse_html(render(build_document(build_hostile_content(), brand=DocumentBrand(HOSTILE, logo))))
    assert not {"script", "template", "style", "iframe"} & set(reader.tags)
    assert not {name for name in reader.attributes if name.startswith("on")}
    assert reader.text.getvalue().count("<script>alert(1)</script>") >= 5


@pytest.mark.parametrize("render", [render_paper, render_list])
def test_nothing_carries_a_style_of_its_own(render: Any) -> None:
    assert "style" not in parse_html(render(build_document(build_hostile_content()))).attributes


def test_the_tagged_paper_has_no_figures_and_no_lists_and_every_image_has_words() -> None:
    paper = render_paper(
        build_document(
            build_content(build_line(), build_line()),
            brand=DocumentBrand("Acme", DocumentLogo("/l.png", 90, 20)),
        )
    )
    assert not {"figure", "li", "ul", "ol", "dl"} & set(parse_html(paper).tags)
    assert re.findall(r"<img [^>]*>", paper) == ['<img src="/l.png" width="90" height="20" alt="Acme">']


def test_without_a_logo_the_name_is_set_as_text() -> None:
    paper = render_paper(build_document(build_content()))
    assert "<img" not in paper
    assert '<p class="name" dir="auto">Nordlicht</p>' in paper


@pytest.mark.parametrize("render", [render_paper, render_list])
def test_paper_and_list_say_the_same_amounts(render: Any) -> None:
    paper = build_document(
        build_content(build_line("1234.5", "3"), build_line("-0", "2"), build_line("10", "-1")), "de-DE"
    )
    text = parse_html(render(paper)).text.getvalue()
    for amount in [*(row.amount for row in paper.rows), *(each.amount for each in paper.total_rows)]:
        assert amount in text


def test_the_list_tells_the_parties_and_particulars_that_the_paper_tells() -> None:
    what = build_content(
        issue_date=dt.date(2026, 3, 1), delivery_date=dt.date(2026, 2, 27), purchase_order="PO-1"
    )
    paper = build_document(what, "de-DE")
    text = parse_html(render_list(paper)).text.getvalue()
    told = [*paper.seller.lines, *paper.buyer.lines]
    for fact in (*paper.seller.facts, *paper.buyer.facts, *paper.details):
        told += [fact.label, fact.value]
    assert [
        each for each in (paper.seller.name, "Angaben zur Rechnung", "DE123456789", *told) if each not in text
    ] == []


def test_what_happened_since_the_issue_stands_below_the_totals_of_the_list_only() -> None:
    paper = build_document(build_content())
    since = (
        TotalRow(TotalRowKind.PLAIN, "Paid so far", f"{MINUS}19.00"),
        TotalRow(TotalRowKind.PAYABLE, "Amount due (EUR)", "100.00"),
    )
    rows = re.findall(r'<div class="(\w+)"><dt><bdi>([^<]*)', render_list(paper, later_rows=since))
    assert rows[-3:] == [
        ("total", "Total (EUR)"),
        ("plain", "Paid so far"),
        ("payable", "Amount due (EUR)"),
    ]
    assert re.findall(r'<div class="payable"><dt><bdi>([^<]*)', render_list(paper)) == ["Total (EUR)"]


def test_a_thousand_lines_are_a_thousand_rows() -> None:
    paper = build_document(build_content(*(build_line(name=f"Line {index}") for index in range(1000))))
    assert render_paper(paper).count('<td class="item"') == 1000
    assert render_list(paper).count("<li>") == 1000


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_last_line_is_a_group_of_its_own_so_that_the_totals_can_take_it_along(count: int) -> None:
    html = render_paper(
        build_document(build_content(*(build_line(name=f"Line {index}") for index in range(count))))
    )
    groups = [group.count("<tr") for group in re.findall(r"<tbody.*?</tbody>", html, re.DOTALL)]
    assert groups == [*([count - 1] if count > 1 else []), 1, 3]


def test_words_are_english_and_numbers_local_where_there_is_no_catalogue() -> None:
    paper = build_document(build_content(build_line("1234.5")), "ar-BH")
    assert (paper.language, paper.content_language, paper.direction) == ("en", "ar-BH", "rtl")
    html = render_paper(paper)
    assert 'lang="en" dir="rtl"' in html
    assert '<td class="item" lang="ar-BH">' in html
    assert build_document(build_content(), "de-AT").content_language == ""


def test_the_amount_cells_hold_the_amount_and_nothing_else() -> None:
    html = render_paper(build_document(build_content(build_line("1234.5"))))
    assert '<td class="figure amount">1,234.50</td>' in html


@given(
    st.text(max_size=80),
    st.decimals("0", "1e9", places=4),
    st.sampled_from(["en-US", "de-DE", "ja-JP", "he-IL"]),
)
def test_any_text_and_price_makes_a_whole_paper_and_list(name: str, price: Decimal, tag: str) -> None:
    paper = build_document(build_content(build_line(str(price), name=name)), tag)
    parse_html(render_paper(paper))
    parse_html(render_list(paper))
