"""The render model of one invoice version: all values are formatted strings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AmountSize(StrEnum):
    """The length of the longest amount: amounts never wrap, long ones are set in a smaller font."""

    NORMAL = "normal"
    LONG = "long"
    HUGE = "huge"


class TotalRowKind(StrEnum):
    """The style of a row of the totals."""

    PLAIN = "plain"
    TAX = "tax"
    TOTAL = "total"
    PAYABLE = "payable"


@dataclass(frozen=True, slots=True)
class DocumentLogo:
    """The seller's logo; with its size in pixels, so that the layout does not shift when it is loaded."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class DocumentBrand:
    """The brand of the seller: the logo with the name as its alternative text, or the name where there is no logo."""

    name: str
    logo: DocumentLogo | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled value: "Due" and "26 Nov 2026"."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class PartyBlock:
    """Seller or buyer: heading, name, the lines of the address, then registration numbers and contact details."""

    heading: str
    name: str
    lines: tuple[str, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class RowAdjustment:
    """A discount or a charge on a line, with its sign."""

    label: str
    amount: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `per` is what the price is for ("per 100 kg"), empty when it is for one."""

    position: str
    name: str
    remarks: tuple[str, ...]
    adjustments: tuple[RowAdjustment, ...]
    quantity: str
    unit: str
    price: str
    per: str
    tax: str
    amount: str


@dataclass(frozen=True, slots=True)
class TotalRow:
    """One row of the totals."""

    kind: TotalRowKind
    label: str
    amount: str


@dataclass(frozen=True, slots=True)
class Account:
    """One account to pay to."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """The headings of the columns; a column with an empty heading is left out."""

    position: str
    name: str
    quantity: str
    unit: str
    price: str
    tax: str
    amount: str

    @property
    def before_amount(self) -> int:
        """The number of columns before the amount: the column span of a label of the totals."""
        every = (self.position, self.name, self.quantity, self.unit, self.price, self.tax)
        return sum(1 for head in every if head)


@dataclass(frozen=True, slots=True)
class Document:
    """One version of an invoice as it is printed.

    `language` is that of the labels, `content_language` that of the seller's texts, if it differs, else empty.
    `includes_tax` is the sentence for prices with tax, else empty. `details` is the block beside the parties.
    """

    language: str
    content_language: str
    direction: str
    page_size: str
    title: str
    number: str
    brand: DocumentBrand
    seller: PartyBlock
    buyer: PartyBlock
    details: tuple[Fact, ...]
    columns: Columns
    rows: tuple[Row, ...]
    total_rows: tuple[TotalRow, ...]
    amount_size: AmountSize
    includes_tax: str
    items_heading: str
    details_heading: str
    accounts_heading: str
    accounts: tuple[Account, ...]
    accounts_separator: str
    accounts_reference: tuple[Fact, ...]
    remarks: tuple[Fact, ...]
    notes: tuple[str, ...]
    legal_note: str
