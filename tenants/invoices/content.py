"""The content of an invoice: the values of one version, as EN 16931 names them, without arithmetic."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import StrEnum

import msgspec


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A frozen value that is stored as JSON; Decimals are encoded as strings, never as floats."""


class TaxCategory(StrEnum):
    """Duty or tax category codes (UNCL 5305), the subset EN 16931 allows."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    INTRA_COMMUNITY = "K"
    EXPORT = "G"
    OUTSIDE_SCOPE = "O"
    CANARY_ISLANDS = "L"
    CEUTA_MELILLA = "M"


class PriceBasis(StrEnum):
    """Whether unit prices, and amounts of allowances and charges, contain the tax."""

    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


class DocumentType(StrEnum):
    """Invoice type codes (UNCL 1001), the subset that is an invoice and not a credit note."""

    PARTIAL = "326"
    INVOICE = "380"
    CORRECTED = "384"
    SELF_BILLED = "389"
    PREPAYMENT = "386"
    CONSTRUCTION_PARTIAL = "875"
    CONSTRUCTION_PARTIAL_FINAL = "876"
    CONSTRUCTION_FINAL = "877"


class Tax(Value, frozen=True):
    """Tax category and rate in percent (19 means 19 %); a rate is 0 where the category has none."""

    category: TaxCategory
    rate: Decimal = Decimal(0)


class Address(Value, frozen=True):
    """A postal address; `country` is ISO 3166-1 alpha-2."""

    street: str = ""
    additional: str = ""
    line: str = ""
    city: str = ""
    postal_code: str = ""
    subdivision: str = ""
    country: str = ""


class Party(Value, frozen=True):
    """Seller or buyer (BG-4, BG-7)."""

    name: str
    trading_name: str = ""
    address: Address = Address()
    vat_id: str = ""
    tax_number: str = ""
    registration: str = ""
    legal_note: str = ""
    identifier: str = ""
    contact_name: str = ""
    phone: str = ""
    email: str = ""


class Adjustment(Value, frozen=True):
    """An allowance (discount) or a charge, on a line or on the document (BG-20, 21, 27, 28).

    Exactly one of `amount` (in major units of the currency) and `percent` is set on invoices
    written here; an imported one may have both, which must then agree. `percent` applies to `base`,
    else to the gross of the line, else to the sum of the lines. `tax` is set only on those of the document.
    """

    is_charge: bool
    amount: Decimal | None = None
    percent: Decimal | None = None
    base: Decimal | None = None
    reason: str = ""
    reason_code: str = ""
    tax: Tax | None = None


class Period(Value, frozen=True):
    """A period of days, both ends included."""

    start: dt.date | None = None
    end: dt.date | None = None


class Attribute(Value, frozen=True):
    """A property of an item (BG-32), such as its colour."""

    name: str
    value: str


class Line(Value, frozen=True):
    """One line (BG-25). Price is in major units per `base_quantity` units; unit is UN/ECE Rec. 20.

    `price_discount` was already taken off `unit_price` (BT-147): it is shown, never computed with.
    """

    name: str
    quantity: Decimal
    unit_price: Decimal
    tax: Tax
    unit: str = "C62"
    base_quantity: Decimal = Decimal(1)
    adjustments: tuple[Adjustment, ...] = ()
    identifier: str = ""
    description: str = ""
    item_number: str = ""
    note: str = ""
    period: Period | None = None
    price_discount: Decimal = Decimal(0)
    order_line: str = ""
    object_identifier: str = ""
    accounting_reference: str = ""
    buyer_item_number: str = ""
    standard_item_number: str = ""
    classifications: tuple[str, ...] = ()
    origin_country: str = ""
    attributes: tuple[Attribute, ...] = ()


class Transfer(Value, frozen=True):
    """One account to pay to by bank transfer (BG-17)."""

    account: str
    holder: str = ""
    bic: str = ""
    bank: str = ""
    reference: str = ""


class Card(Value, frozen=True):
    """The payment card that was charged (BG-18): only the last digits of its number."""

    number: str
    holder: str = ""


class Debit(Value, frozen=True):
    """A direct debit the seller will make (BG-19)."""

    mandate: str = ""
    creditor: str = ""
    account: str = ""


class Delivery(Value, frozen=True):
    """Where and to whom it was delivered (BG-13)."""

    name: str = ""
    location: str = ""
    address: Address = Address()


class Attachment(Value, frozen=True):
    """A supporting document named by the invoice (BG-24): its name and what it is; no bytes."""

    identifier: str
    description: str = ""
    filename: str = ""
    url: str = ""


class Exemption(Value, frozen=True):
    """Why a tax category carries no tax (BT-120, BT-121)."""

    category: TaxCategory
    reason: str = ""
    reason_code: str = ""


class Content(Value, frozen=True):
    """The content of one version of an invoice, except its number, which is assigned at issue.

    `tax_in_tax_currency` is the tax in the currency the seller accounts it in (BT-6, BT-111): shown, never
    computed with. `payment_means` are the seller's texts for them (BT-82).
    """

    currency: str
    seller: Party
    buyer: Party
    lines: tuple[Line, ...]
    document_type: DocumentType = DocumentType.INVOICE
    prices: PriceBasis = PriceBasis.EXCLUSIVE
    issue_date: dt.date | None = None
    due_date: dt.date | None = None
    delivery_date: dt.date | None = None
    period: Period | None = None
    adjustments: tuple[Adjustment, ...] = ()
    prepaid: Decimal = Decimal(0)
    rounding: Decimal = Decimal(0)
    exemptions: tuple[Exemption, ...] = ()
    notes: tuple[str, ...] = ()
    buyer_reference: str = ""
    purchase_order: str = ""
    sales_order: str = ""
    contract: str = ""
    project: str = ""
    preceding_invoice: str = ""
    payment_terms: str = ""
    transfers: tuple[Transfer, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    tax_point_date: dt.date | None = None
    tax_currency: str = ""
    tax_in_tax_currency: Decimal | None = None
    payee: Party | None = None
    tax_representative: Party | None = None
    delivery: Delivery | None = None
    card: Card | None = None
    debit: Debit | None = None
    payment_means: tuple[str, ...] = ()
    tender: str = ""
    receiving_advice: str = ""
    despatch_advice: str = ""
    object_identifier: str = ""
    accounting_reference: str = ""
