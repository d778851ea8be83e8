"""Whatever is done to a published invoice, it is read truthfully or refused: nothing else ever happens."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from xml.etree import ElementTree as ET

import msgspec
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from tenants.invoices.amounts import Totals
from tenants.invoices.content import Content
from tenants.invoices.totals import compute_totals
from tenants.invoices.ubl import ParsedInvoice, UblRefused, check_totals, parse
from tests.fakes.ubl_writer import NAMES, SPACES, parse_tree, read_published, write_tree

TEXTS = st.sampled_from(
    [
        "", " ", "0", "-0", "1", "-1", "0.01", "0.005", "100", "19", "7", "1e2", "1e400", "1E-400", "NaN", "INF", "٣",
        "9" * 15, "9" * 400, "0." + "3" * 30, "EUR", "USD", "JPY", "BHD", "S", "Z", "E", "O", "AE", "VAT", "true",
        "false", "380", "381", "2026-02-30", "9999-12-31", "DE", "#ADU#", "<b>", "\u202eabc", "\ufffe", "\U0001f9fe",
    ]
) | st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)  # fmt: skip
SMALL = tuple(name for name in NAMES if len(read_published(name)) < 20_000)
fuzz = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def outcome(document: bytes) -> tuple[ParsedInvoice, Totals] | UblRefused:
    try:
        read = parse(document)
        return read, check_totals(read)
    except UblRefused as refused:
        return refused


def truthful_or_refused(document: bytes) -> None:
    result = outcome(document)
    if isinstance(result, UblRefused):
        event(f"refused by {result.data['rule']}")
        assert str(result.data["rule"]).startswith(("BR-", "PEPPOL-EN16931-", "PORTAL-"))
        assert len(result.message) < 1_000
        return
    read, drawn = result
    event("accepted")
    assert drawn == compute_totals(read.content)
    assert msgspec.json.decode(msgspec.json.encode(read.content), type=Content) == read.content
    states_what_it_comes_to(parse_tree(document), drawn)


def states_what_it_comes_to(root: ET.Element, drawn: Totals) -> None:
    """Compare an accepted document with its own totals, read without anything of the product's."""

    def stated(node: ET.Element, path: str) -> Decimal:
        return Decimal((node.findtext(path, "0", SPACES) or "0").strip())

    nets = [stated(line, "cbc:LineExtensionAmount") for line in root.findall("cac:InvoiceLine", SPACES)]
    assert [line.net.amount for line in drawn.lines] == nets
    total = root.find("cac:LegalMonetaryTotal", SPACES)
    assert total is not None
    assert {
        "LineExtensionAmount": drawn.line_total.amount,
        "AllowanceTotalAmount": drawn.allowance_total.amount,
        "ChargeTotalAmount": drawn.charge_total.amount,
        "TaxExclusiveAmount": drawn.tax_exclusive.amount,
        "TaxInclusiveAmount": drawn.tax_inclusive.amount,
        "PrepaidAmount": drawn.prepaid.amount,
        "PayableRoundingAmount": drawn.rounding.amount,
        "PayableAmount": drawn.payable.amount,
    } == {
        name: stated(total, f"cbc:{name}")
        for name in (
            "LineExtensionAmount",
            "AllowanceTotalAmount",
            "ChargeTotalAmount",
            "TaxExclusiveAmount",
            "TaxInclusiveAmount",
            "PrepaidAmount",
            "PayableRoundingAmount",
            "PayableAmount",
        )
    }
    groups = [
        (stated(group, "cbc:TaxableAmount"), stated(group, "cbc:TaxAmount"))
        for group in root.findall("cac:TaxTotal/cac:TaxSubtotal", SPACES)
    ]
    assert sorted((one.base.amount, one.amount.amount) for one in drawn.subtotals if one.base) == sorted(
        pair for pair in groups if any(pair)
    )


def remove(root: ET.Element, draw: st.DrawFn) -> None:
    parent = draw(st.sampled_from([node for node in root.iter() if len(node)]))
    parent.remove(draw(st.sampled_from(list(parent))))


def double(root: ET.Element, draw: st.DrawFn) -> None:
    parent = draw(st.sampled_from([node for node in root.iter() if len(node)]))
    parent.insert(draw(st.integers(0, len(parent))), draw(st.sampled_from(list(parent))))


def retell(root: ET.Element, draw: st.DrawFn) -> None:
    draw(st.sampled_from([node for node in root.iter() if not len(node)])).text = draw(TEXTS)


def nudge(root: ET.Element, draw: st.DrawFn) -> None:
    """Change a number a little, which is what a wrong calculation does."""
    numbers = [
        node for node in root.iter() if (node.text or "").strip().lstrip("-").replace(".", "", 1).isdecimal()
    ]
    node = draw(st.sampled_from(numbers))
    node.text = str(
        Decimal((node.text or "").strip())
        + draw(st.sampled_from([Decimal("0.01"), Decimal(-1), Decimal("0.005")]))
    )


def relabel(root: ET.Element, draw: st.DrawFn) -> None:
    with_attributes = [node for node in root.iter() if node.attrib]
    node = draw(st.sampled_from(with_attributes))
    node.set(draw(st.sampled_from(sorted(node.attrib))), draw(TEXTS))


def transplant(root: ET.Element, draw: st.DrawFn) -> None:
    leaves = [node for node in root.iter() if not len(node)]
    draw(st.sampled_from(leaves)).text = draw(st.sampled_from(leaves)).text


def rename(root: ET.Element, draw: st.DrawFn) -> None:
    nodes = list(root.iter())
    draw(st.sampled_from(nodes)).tag = draw(st.sampled_from(nodes)).tag


CHANGES: list[Callable[[ET.Element, st.DrawFn], None]] = [
    remove,
    double,
    retell,
    nudge,
    relabel,
    transplant,
    rename,
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    root = parse_tree(read_published(draw(st.sampled_from(SMALL))))
    for change in draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=3)):
        change(root, draw)
        if len(root) < 2:
            break
    return write_tree(root)


@fuzz
@given(mutated())
def test_a_changed_tree_is_read_truthfully_or_refused(document: bytes) -> None:
    truthful_or_refused(document)


@fuzz
@given(
    st.sampled_from(SMALL),
    st.lists(st.tuples(st.integers(0, 20_000), st.binary(max_size=6)), min_size=1, max_size=4),
)
def test_changed_bytes_are_read_truthfully_or_refused(name: str, cuts: list[tuple[int, bytes]]) -> None:
    document = read_published(name)
    for place, put in cuts:
        at = place % len(document)
        document = document[:at] + put + document[at + len(put) :]
    truthful_or_refused(document)


@fuzz
@given(st.binary(max_size=300))
@example(b"\xff\xfe<\x00")
def test_any_bytes_are_refused(document: bytes) -> None:
    truthful_or_refused(document)
