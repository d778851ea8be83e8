"""A document that does not add up is refused, and the rule it breaks is named."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.money import Money
from tenants.invoices.amounts import Totals
from tenants.invoices.content import Adjustment, Content, Line, Party, Tax, TaxCategory
from tenants.invoices.totals import compute_totals
from tenants.invoices.ubl import LINE_NET, UblRefused, check_totals, parse
from tests.fakes.ubl_writer import append_elements, change_texts, read_published, set_attribute, write_invoice

TOTAL = "cac:LegalMonetaryTotal/cbc:"
GROUP = "cac:TaxTotal/cac:TaxSubtotal"
DISCOUNT = "cac:InvoiceLine[1]/cac:Price/cac:AllowanceCharge"
FIRST = "cac:InvoiceLine[1]/cbc:"
S19 = Tax(TaxCategory.STANDARD, Decimal(19))
S7 = Tax(TaxCategory.STANDARD, Decimal(7))


def catch_refusal(document: bytes) -> UblRefused:
    with pytest.raises(UblRefused) as refused:
        check_totals(parse(document))
    assert refused.value.code == "ubl.refused"
    assert f"({refused.value.data['rule']})" in refused.value.message
    return refused.value


@pytest.mark.parametrize(
    ("rule", "name", "changes"),
    [
        (LINE_NET, "01.05a", {f"{FIRST}LineExtensionAmount": "6700.01"}),
        (LINE_NET, "01.05a", {f"{FIRST}InvoicedQuantity": "6"}),
        (LINE_NET, "03.06a", {"cac:InvoiceLine[3]/cbc:LineExtensionAmount": "100.00"}),
        # 6 x 41.5645 is 249.387: cut off instead of rounded, though the totals would still follow.
        (LINE_NET, "02.05a", {"cac:InvoiceLine[9]/cbc:LineExtensionAmount": "249.38"}),
        ("BR-CO-10", "01.05a", {f"{TOTAL}LineExtensionAmount": "8869.99"}),
        ("BR-CO-11", "02.05a", {f"{TOTAL}AllowanceTotalAmount": "100.30"}),
        ("BR-CO-11", "02.05a", {f"{TOTAL}AllowanceTotalAmount": None}),
        ("BR-CO-12", "02.05a", {f"{TOTAL}ChargeTotalAmount": "919.99"}),
        ("BR-CO-12", "02.05a", {f"{TOTAL}ChargeTotalAmount": None}),
        ("BR-CO-13", "02.05a", {f"{TOTAL}TaxExclusiveAmount": "1492.23"}),
        ("BR-CO-14", "01.05a", {"cac:TaxTotal/cbc:TaxAmount": "1685.29"}),
        ("BR-CO-15", "01.05a", {f"{TOTAL}TaxInclusiveAmount": "10555.31"}),
        ("BR-CO-16", "01.05a", {f"{TOTAL}PayableAmount": "10555"}),
        ("BR-CO-16", "02.01a", {f"{TOTAL}PrepaidAmount": "0.01"}),
        ("BR-CO-17", "01.05a", {f"{GROUP}/cbc:TaxAmount": "1685.31"}),
        ("BR-S-08", "01.05a", {f"{GROUP}/cbc:TaxableAmount": "8870.01"}),
        ("BR-S-08", "01.05a", {f"{GROUP}/cac:TaxCategory/cbc:Percent": "7"}),
        ("BR-Z-08", "03.06a", {f"{GROUP}[2]/cbc:TaxableAmount": "100"}),
        ("BR-Z-09", "03.06a", {f"{GROUP}[2]/cbc:TaxAmount": "0.01"}),
        ("BR-E-08", "02.01a", {f"{GROUP}[2]/cbc:TaxableAmount": "0.01"}),
        ("BR-E-10", "02.05a", {f"{GROUP}[2]/cac:TaxCategory/cbc:TaxExemptionReasonCode": None}),
        ("BR-S-05", "01.05a", {"cac:InvoiceLine[1]/cac:Item/cac:ClassifiedTaxCategory/cbc:Percent": "0"}),
        ("BR-Z-05", "03.06a", {"cac:InvoiceLine[3]/cac:Item/cac:ClassifiedTaxCategory/cbc:Percent": "19"}),
        ("BR-E-07", "02.05a", {"cac:AllowanceCharge[1]/cac:TaxCategory/cbc:Percent": "19"}),
        ("BR-S-06", "02.05a", {"cac:AllowanceCharge[2]/cac:TaxCategory/cbc:Percent": "0"}),
        ("PEPPOL-EN16931-R040", "02.05a", {"cac:AllowanceCharge[1]/cbc:MultiplierFactorNumeric": "99"}),
        ("PEPPOL-EN16931-R040", "02.05a", {"cac:AllowanceCharge[2]/cbc:BaseAmount": "100.30"}),
        ("PEPPOL-EN16931-R040", "02.05a", {"cac:AllowanceCharge[2]/cbc:Amount": "100.28"}),
        ("PEPPOL-EN16931-R040", "02.01a", {"cac:AllowanceCharge[1]/cbc:Amount": "1"}),
        ("PEPPOL-EN16931-R040", "02.05a", {"cac:AllowanceCharge[2]/cbc:BaseAmount": None}),
        (
            "PEPPOL-EN16931-R046",
            "03.06a",
            {f"{DISCOUNT}/cbc:Amount": "9"},
        ),
        (
            "PEPPOL-EN16931-R046",
            "03.06a",
            {f"{DISCOUNT}/cbc:BaseAmount": "1"},
        ),
        (
            "PEPPOL-EN16931-R044",
            "03.06a",
            {f"{DISCOUNT}/cbc:ChargeIndicator": "true"},
        ),
        ("BR-27", "01.05a", {"cac:InvoiceLine[1]/cac:Price/cbc:PriceAmount": "-1340"}),
        ("BR-28", "03.06a", {f"{DISCOUNT}/cbc:BaseAmount": "-1010"}),
    ],
)
def test_a_published_invoice_with_one_false_value_is_refused(
    rule: str, name: str, changes: dict[str, str | None]
) -> None:
    check_totals(parse(read_published(name)))

    assert catch_refusal(change_texts(read_published(name), changes)).data["rule"] == rule


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("BR-DEC-09", f"{TOTAL}LineExtensionAmount"),
        ("BR-DEC-10", f"{TOTAL}AllowanceTotalAmount"),
        ("BR-DEC-11", f"{TOTAL}ChargeTotalAmount"),
        ("BR-DEC-12", f"{TOTAL}TaxExclusiveAmount"),
        ("BR-DEC-14", f"{TOTAL}TaxInclusiveAmount"),
        ("BR-DEC-16", f"{TOTAL}PrepaidAmount"),
        ("BR-DEC-18", f"{TOTAL}PayableAmount"),
        ("BR-DEC-13", "cac:TaxTotal[1]/cbc:TaxAmount"),
        ("BR-DEC-15", "cac:TaxTotal[2]/cbc:TaxAmount"),
        ("BR-DEC-19", f"{GROUP}/cbc:TaxableAmount"),
        ("BR-DEC-20", f"{GROUP}/cbc:TaxAmount"),
        ("BR-DEC-23", f"{FIRST}LineExtensionAmount"),
        ("BR-DEC-05", "cac:AllowanceCharge[1]/cbc:Amount"),
        ("BR-DEC-06", "cac:AllowanceCharge[1]/cbc:BaseAmount"),
        ("BR-DEC-01", "cac:AllowanceCharge[2]/cbc:Amount"),
        ("BR-DEC-02", "cac:AllowanceCharge[2]/cbc:BaseAmount"),
    ],
)
def test_an_amount_finer_than_the_currency_is_refused(rule: str, path: str) -> None:
    assert catch_refusal(change_texts(read_published("02.01a"), {path: "0.001"})).data["rule"] == rule


def test_a_refusal_says_what_was_stated_and_what_it_comes_to() -> None:
    refused = catch_refusal(change_texts(read_published("01.05a"), {f"{TOTAL}PayableAmount": "10555"}))

    assert refused.data == {"rule": "BR-CO-16", "stated": "10555", "computed": "10555.30"}
    assert (
        refused.message
        == "The amount due is stated as 10555, but its computed value is 10555.30 EUR. (BR-CO-16)"
    )


def build_document(*lines: tuple[str, str, str, str]) -> bytes:
    """Write a document of lines (quantity, price, price's base, stated net) in which all else follows."""
    content = Content(
        currency="EUR",
        seller=Party(name="Seller"),
        buyer=Party(name="Buyer"),
        lines=tuple(
            Line(
                name="Thing",
                quantity=Decimal(quantity),
                unit_price=Decimal(price),
                tax=S19,
                base_quantity=Decimal(base),
            )
            for quantity, price, base, _ in lines
        ),
    )
    computed = compute_totals(content)
    as_stated = compute_totals(
        Content(
            currency="EUR",
            seller=content.seller,
            buyer=content.buyer,
            lines=tuple(
                Line(name="Thing", quantity=Decimal(1), unit_price=Decimal(net), tax=S19) for *_, net in lines
            ),
        )
    )
    nets = tuple(
        replace(line, net=other.net) for line, other in zip(computed.lines, as_stated.lines, strict=True)
    )
    return write_invoice(content, replace(as_stated, lines=nets))


@pytest.mark.parametrize(
    ("quantity", "price", "base", "true", "false"),
    [
        ("1", "2.005", "1", "2.01", "2.00"),  # cut off
        ("3", "0.335", "1", "1.01", "1.00"),  # halves to even
        ("1", "2.045", "1", "2.05", "2.04"),  # halves to even
        ("0.333", "100", "1", "33.30", "33.33"),  # a rounded quantity
        ("100", "0.333", "1", "33.30", "33.33"),  # a rounded price
        ("7", "10", "3", "23.33", "23.31"),  # the price rounded before the quantity
        ("2", "1.005", "1", "2.01", "2.02"),  # the price rounded first
    ],
)  # fmt: skip
def test_a_line_net_that_was_rounded_another_way_is_refused_though_all_sums_follow(
    quantity: str, price: str, base: str, true: str, false: str
) -> None:
    assert check_totals(parse(build_document((quantity, price, base, true)))).line_total.amount == Decimal(
        true
    )

    refused = catch_refusal(build_document((quantity, price, base, false)))

    assert refused.data == {"rule": LINE_NET, "stated": false, "computed": true}


def test_a_false_line_is_found_among_true_ones_and_named() -> None:
    refused = catch_refusal(
        build_document(("1", "5", "1", "5"), ("1", "1.005", "1", "1.00"), ("2", "3", "1", "6"))
    )

    assert refused.message.startswith("The net amount of line 2 is stated as 1.00")


@pytest.mark.parametrize(("base", "tax"), [("4435", "842.65"), ("8870", "1685.30"), ("0", "0")])
def test_two_breakdowns_of_one_rate_are_refused_whatever_they_say(base: str, tax: str) -> None:
    group = (
        f'<cac:TaxSubtotal><cbc:TaxableAmount currencyID="EUR">{base}</cbc:TaxableAmount>'
        f'<cbc:TaxAmount currencyID="EUR">{tax}</cbc:TaxAmount><cac:TaxCategory><cbc:ID>S</cbc:ID>'
        "<cbc:Percent>19.0</cbc:Percent><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory>"
        "</cac:TaxSubtotal>"
    )
    refused = catch_refusal(append_elements(read_published("01.05a"), "cac:TaxTotal", group))

    assert refused.message == "Two breakdowns of VAT category S at 19 %. (BR-S-08)"


def test_a_category_without_its_breakdown_is_refused() -> None:
    assert (
        catch_refusal(change_texts(read_published("03.06a"), {f"{GROUP}[2]": None})).data["rule"] == "BR-Z-01"
    )


def test_a_breakdown_of_what_no_line_has_may_say_zero_only() -> None:
    def build_unused_breakdown(base: str) -> bytes:
        return append_elements(
            read_published("01.05a"),
            "cac:TaxTotal",
            f'<cac:TaxSubtotal><cbc:TaxableAmount currencyID="EUR">{base}</cbc:TaxableAmount>'
            '<cbc:TaxAmount currencyID="EUR">0</cbc:TaxAmount><cac:TaxCategory><cbc:ID>Z</cbc:ID>'
            "<cbc:Percent>0</cbc:Percent><cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme></cac:TaxCategory>"
            "</cac:TaxSubtotal>",
        )

    assert len(check_totals(parse(build_unused_breakdown("0"))).subtotals) == 1
    assert catch_refusal(build_unused_breakdown("1")).data["rule"] == "BR-Z-08"


def test_a_tax_that_is_levied_has_no_reason_not_to_be() -> None:
    document = append_elements(
        read_published("01.05a"),
        f"{GROUP}/cac:TaxCategory",
        "<cbc:TaxExemptionReason>None at all</cbc:TaxExemptionReason>",
    )
    assert catch_refusal(document).data["rule"] == "BR-S-10"


def test_a_line_discount_that_is_not_its_percentage_is_refused() -> None:
    allowance = (
        "<cac:AllowanceCharge><cbc:ChargeIndicator>false</cbc:ChargeIndicator>"
        "<cbc:MultiplierFactorNumeric>10</cbc:MultiplierFactorNumeric>"
        '<cbc:Amount currencyID="EUR">{}</cbc:Amount></cac:AllowanceCharge>'
    )
    document = append_elements(read_published("01.05a"), "cac:InvoiceLine[1]", allowance.format("669.99"))

    refused = catch_refusal(document)

    assert refused.data["rule"] == "PEPPOL-EN16931-R040"
    # With the right amount it is the net that is wrong: it does not know of the discount.
    right = append_elements(read_published("01.05a"), "cac:InvoiceLine[1]", allowance.format("670"))
    assert catch_refusal(right).data == {"rule": LINE_NET, "stated": "6700", "computed": "6030.00"}


def test_a_price_for_no_quantity_is_refused() -> None:
    document = append_elements(
        read_published("01.05a"), "cac:InvoiceLine[1]/cac:Price", "<cbc:BaseQuantity>0</cbc:BaseQuantity>"
    )
    assert catch_refusal(document).data["rule"] == "PEPPOL-EN16931-R121"


def test_an_amount_too_large_to_be_kept_is_refused() -> None:
    document = change_texts(read_published("01.05a"), {f"{FIRST}InvoicedQuantity": "999999999999999"})
    assert catch_refusal(document).data == {"rule": "PORTAL-LIMIT", "cause": "invoice.too_large"}


def test_amounts_of_a_yen_invoice_have_no_decimals_and_trailing_zeros_do_not_count() -> None:
    def build_yen_document(tax: str) -> bytes:
        content = Content(
            currency="JPY",
            seller=Party(name="Seller"),
            buyer=Party(name="Buyer"),
            lines=(Line(name="Thing", quantity=Decimal(3), unit_price=Decimal("33.5"), tax=S7),),
        )
        return change_texts(
            write_invoice(content, compute_totals(content)), {"cac:TaxTotal/cbc:TaxAmount": tax}
        )

    assert check_totals(parse(build_yen_document("7.00"))).payable.minor == 108
    assert catch_refusal(build_yen_document("7.5")).data["rule"] == "BR-DEC-13"


def test_a_currency_within_the_document_is_never_another() -> None:
    document = set_attribute(read_published("01.05a"), f"{TOTAL}PayableAmount", "currencyID", "USD")
    assert catch_refusal(document).data["rule"] == "PEPPOL-EN16931-R051"


taxes = st.sampled_from(
    [S19, S7, Tax(TaxCategory.EXEMPT), Tax(TaxCategory.ZERO), Tax(TaxCategory.REVERSE_CHARGE)]
)
cents = st.integers(-(10**5), 10**6).map(lambda minor: Decimal(minor).scaleb(-2))


def build_adjustments(
    with_tax: st.SearchStrategy[Tax] | st.SearchStrategy[None],
) -> st.SearchStrategy[tuple[Adjustment, ...]]:
    by_amount = st.builds(Adjustment, is_charge=st.booleans(), amount=cents, tax=with_tax)
    by_percent = st.builds(
        Adjustment,
        is_charge=st.booleans(),
        percent=st.decimals(0, 120, places=1),
        base=st.none() | cents,
        tax=with_tax,
    )
    return st.lists(by_amount | by_percent, max_size=2).map(tuple)


contents = st.builds(
    Content,
    currency=st.just("EUR"),
    seller=st.just(Party(name="Seller")),
    buyer=st.just(Party(name="Buyer")),
    lines=st.lists(
        st.builds(
            Line,
            name=st.just("Thing"),
            quantity=st.decimals(-99, 999, places=3),
            unit_price=st.decimals(0, 999, places=4),
            tax=taxes,
            base_quantity=st.sampled_from([Decimal(1), Decimal(3)]),
            adjustments=build_adjustments(st.none()),
        ),
        min_size=1,
        max_size=5,
    ).map(tuple),
    adjustments=build_adjustments(taxes),
    prepaid=cents,
    rounding=cents,
)
AMOUNTS = (
    "line_total",
    "allowance_total",
    "charge_total",
    "tax_exclusive",
    "tax_total",
    "tax_inclusive",
    "prepaid",
    "rounding",
    "payable",
)


@given(contents)
def test_any_true_document_is_accepted_with_its_own_totals(content: Content) -> None:
    of = compute_totals(content)

    assert check_totals(parse(write_invoice(content, of))) == of


def change_one_cent(of: Totals, draw: st.DrawFn, cent: Money) -> Totals:
    place = draw(st.sampled_from([*AMOUNTS, "lines", "adjustments", "base", "amount"]))
    if place == "lines":
        index = draw(st.integers(0, len(of.lines) - 1))
        wrong = replace(of.lines[index], net=of.lines[index].net + cent)
        return replace(of, lines=(*of.lines[:index], wrong, *of.lines[index + 1 :]))
    if place == "adjustments" and of.adjustments:
        return replace(of, adjustments=(of.adjustments[0] + cent, *of.adjustments[1:]))
    if place in {"base", "amount"}:
        index = draw(st.integers(0, len(of.subtotals) - 1))
        group = of.subtotals[index]
        wrong_group = replace(group, **{place: getattr(group, place) + cent})
        return replace(of, subtotals=(*of.subtotals[:index], wrong_group, *of.subtotals[index + 1 :]))
    place = place if place in AMOUNTS else "payable"
    return replace(of, **{place: getattr(of, place) + cent})


@given(contents, st.data(), st.sampled_from([-1, 1]))
def test_any_true_document_with_one_amount_a_cent_off_is_refused(
    content: Content, data: st.DataObject, cent: int
) -> None:
    of = compute_totals(content)
    false = data.draw(st.composite(lambda draw: change_one_cent(of, draw, Money(cent, of.currency)))())

    with pytest.raises(UblRefused):
        check_totals(parse(write_invoice(content, false)))
