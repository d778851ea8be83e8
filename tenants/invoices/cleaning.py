"""Cleans the texts of an invoice, each by its kind, before they are stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from kernel.identifiers import clean_account, clean_bic, clean_vat_number
from kernel.text import clean_identifier, clean_line, clean_lines
from tenants.invoices.content import Value

_V = TypeVar("_V", bound=Value)

# By the names of fields, which mean the same in every struct of `content`. Any other text is one line.
_CLEANERS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    dict.fromkeys(("description", "legal_note", "note", "notes", "payment_terms", "reason"), clean_lines)
    | dict.fromkeys(
        (
            "accounting_reference",
            "buyer_item_number",
            "buyer_reference",
            "classifications",
            "contract",
            "country",
            "creditor",
            "currency",
            "despatch_advice",
            "email",
            "identifier",
            "item_number",
            "mandate",
            "number",
            "object_identifier",
            "order_line",
            "origin_country",
            "phone",
            "postal_code",
            "preceding_invoice",
            "project",
            "purchase_order",
            "reason_code",
            "receiving_advice",
            "reference",
            "registration",
            "sales_order",
            "standard_item_number",
            "tax_currency",
            "tax_number",
            "tender",
            "unit",
            "url",
        ),
        clean_identifier,
    )
    | {"account": clean_account, "bic": clean_bic, "vat_id": clean_vat_number}
)


def clean_content(content: _V) -> _V:
    """Return the content, or a part of it, with all its texts cleaned."""
    fields = {name: _clean_value(name, getattr(content, name)) for name in content.__struct_fields__}
    return msgspec.structs.replace(content, **fields)


def _clean_value(name: str, value: object) -> object:
    match value:
        case Value():
            return clean_content(value)
        case tuple():
            return tuple(_clean_value(name, each) for each in value)
        # The members of an enum of codes are strings, too.
        case str() if type(value) is str:
            return _CLEANERS.get(name, clean_line)(value)
        case _:
            return value
