"""All texts of an invoice are cleaned before they are stored, each by its kind."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from kernel.clock import SystemClock
from tenants.invoices import actions, queries
from tenants.invoices.cleaning import clean_content
from tenants.invoices.content import (
    Address,
    Adjustment,
    Attachment,
    Attribute,
    Card,
    Content,
    Debit,
    Delivery,
    Exemption,
    Line,
    Party,
    Tax,
    TaxCategory,
    Transfer,
    Value,
)
from tests.fakes.sample_workspaces import SampleWorkspace, build_content

CLOCK = SystemClock()
HIDDEN = "\u200b\x00\u202e\ud800"
S19 = Tax(TaxCategory.STANDARD, Decimal(19))


def build_arguments(kind: type[Value], **parts: object) -> dict[str, Any]:
    """Return a text with hidden characters for every text of a struct, and the given parts."""
    texts = {
        field.name: f"{HIDDEN}{field.name}{HIDDEN}  1"
        for field in msgspec.structs.fields(kind)
        if field.type is str
    }
    return {**texts, **parts}


def build_full_content() -> Content:
    address = Address(**build_arguments(Address))
    party = Party(**build_arguments(Party, address=address))
    adjustment = Adjustment(**build_arguments(Adjustment, is_charge=True, amount=Decimal(1), tax=S19))
    line = Line(
        **build_arguments(
            Line,
            quantity=Decimal(1),
            unit_price=Decimal(1),
            tax=S19,
            classifications=(f"classification{HIDDEN}  1",),
            attributes=(Attribute(**build_arguments(Attribute)),),
            adjustments=(msgspec.structs.replace(adjustment, tax=None),),
        )
    )
    return Content(
        **build_arguments(
            Content,
            currency="EUR",
            tax_currency="USD",
            seller=party,
            buyer=party,
            payee=party,
            tax_representative=party,
            lines=(line,),
            adjustments=(adjustment,),
            exemptions=(Exemption(**build_arguments(Exemption, category=TaxCategory.EXEMPT)),),
            notes=(f"note{HIDDEN}  1",),
            payment_means=(f"means{HIDDEN}  1",),
            transfers=(Transfer(**build_arguments(Transfer)),),
            attachments=(Attachment(**build_arguments(Attachment)),),
            delivery=Delivery(**build_arguments(Delivery, address=address)),
            card=Card(**build_arguments(Card)),
            debit=Debit(**build_arguments(Debit)),
        )
    )


def list_texts(value: object) -> Iterator[str]:
    match value:
        case Value():
            for name in value.__struct_fields__:
                yield from list_texts(getattr(value, name))
        case tuple():
            for each in value:
                yield from list_texts(each)
        case str() if type(value) is str:
            yield value
        case _:
            pass


def test_no_text_of_an_invoice_is_left_out() -> None:
    before, after = (
        list(list_texts(build_full_content())),
        list(list_texts(clean_content(build_full_content()))),
    )
    assert len(before) == len(after) > 100
    for dirty, clean in zip(before, after, strict=True):
        assert clean == dirty.translate(dict.fromkeys(map(ord, HIDDEN))).replace("  ", " ")


def test_a_clean_invoice_is_unchanged() -> None:
    clean = clean_content(build_full_content())
    assert clean_content(clean) == clean
    assert clean_content(build_content()) == build_content()


def test_texts_are_cleaned_by_their_kind() -> None:
    text = "a\n\n 👩\u200d🚀 "
    cleaned = clean_content(
        msgspec.structs.replace(
            build_content(),
            seller=Party(name=text, legal_note=text, vat_id="de 136 695 976\u200b"),
            notes=(text,),
            payment_terms=text,
            purchase_order=text,
            transfers=(
                Transfer(account="IBAN: de79 0000 0000 1234 5678 90\xad", bic="deut de ff", holder=text),
            ),
            debit=Debit(account="DE79 0000 0000 1234 5678 90"),
        )
    )
    assert cleaned.seller == Party(name="a 👩\u200d🚀", legal_note="a\n\n👩\u200d🚀", vat_id="DE136695976")
    assert (cleaned.notes, cleaned.payment_terms) == (("a\n\n👩\u200d🚀",), "a\n\n👩\u200d🚀")
    assert cleaned.purchase_order == "a 👩🚀"
    assert cleaned.transfers == (
        Transfer(account="DE79000000001234567890", bic="DEUTDEFF", holder="a 👩\u200d🚀"),
    )
    assert cleaned.debit == Debit(account="DE79000000001234567890")


@pytest.mark.parametrize("write", ["create", "update", "new version"])
async def test_what_a_member_writes_is_stored_clean(acme: SampleWorkspace, write: str) -> None:
    dirty = msgspec.structs.replace(
        build_content(buyer=f"Cafe\u0301{HIDDEN}  Royal"), notes=(f"a{HIDDEN}\r\nb",)
    )
    customer_id = await acme.create_customer()
    async with acme.database.scope(acme.workspace_id):
        first = dirty if write == "create" else build_content()
        invoice_id = await actions.create_draft(customer_id, first, clock=CLOCK)
        version = 1
        if write == "update":
            await actions.update_draft(invoice_id, dirty, clock=CLOCK)
        elif write == "new version":
            await actions.issue(invoice_id, clock=CLOCK)
            version = await actions.add_version(invoice_id, dirty, clock=CLOCK)
        stored = await queries.load_version(invoice_id, version)
        row = await queries.load_invoice(invoice_id)
    assert stored.content.buyer.name == row.customer_name == "Café Royal"
    assert stored.content.notes == ("a\nb",)
