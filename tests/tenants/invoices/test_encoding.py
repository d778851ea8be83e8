"""Stored versions: what is read back is what was written, for every published invoice and strange texts."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from kernel.errors import Invalid
from kernel.store import fetch_value
from tenants.invoices import actions
from tenants.invoices.encoding import decode_content, decode_totals, encode_content, encode_totals
from tenants.invoices.totals import compute_totals
from tenants.invoices.ubl import check_totals, parse
from tests.fakes.sample_workspaces import SampleWorkspace, build_content
from tests.fakes.ubl_writer import NAMES, read_published


@pytest.mark.parametrize("name", NAMES)
def test_a_published_invoice_survives_being_stored(name: str) -> None:
    parsed = parse(read_published(name))
    assert decode_content(encode_content(parsed.content)) == parsed.content
    computed = check_totals(parsed)
    assert decode_totals(encode_totals(computed)) == computed


def test_decimals_are_stored_as_texts_never_as_floats() -> None:
    stored = msgspec.json.decode(encode_content(build_content("0.10")))
    assert stored["lines"][0]["unit_price"] == "0.10"
    assert decode_content(encode_content(build_content("0.10"))).lines[0].unit_price == Decimal("0.10")


def test_totals_are_stored_in_minor_units_with_the_digits_of_their_day() -> None:
    stored = msgspec.json.decode(encode_totals(compute_totals(build_content("10", currency_code="KWD"))))
    assert (stored["digits"], stored["payable"]) == (3, 11_900)


async def test_a_draft_that_says_too_much_in_all_is_refused(acme: SampleWorkspace) -> None:
    long = msgspec.structs.replace(build_content(), notes=("é" * 19_000,) * 60)
    buyer = await acme.create_customer()
    with pytest.raises(Invalid) as caught:
        async with acme.database.scope(acme.workspace_id):
            await actions.create_draft(buyer, long, clock=acme.clock)
    assert caught.value.code == "invoice.too_long"
    async with acme.database.scope(acme.workspace_id):
        assert await fetch_value("SELECT count(*) FROM invoice") == 0


@pytest.mark.parametrize("text", ["nul \u0000 inside", "\ud800 alone"])
def test_a_text_that_postgres_cannot_keep_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        encode_content(build_content(buyer=text))
    assert caught.value.code == "invoice.text"


def test_a_text_about_backslashes_is_fine() -> None:
    odd = build_content(buyer="\\u0000 and \\\\u0000")
    assert decode_content(encode_content(odd)) == odd


def test_a_document_of_another_shape_is_not_read() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_content('{"currency": "EUR", "surprise": 1}')
