"""What the paper prints: the render model of one invoice version, every string ready to be read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Figures(StrEnum):
    """How much room the longest amount needs; a column of figures never wraps, it is set smaller."""

    NORMAL = "normal"
    LONG = "long"
    HUGE = "huge"


class TotalRowKind(StrEnum):
    """How a row of the totals is set."""

    STEP = "step"
    TAX = "tax"
    TOTAL = "total"
    PAYABLE = "payable"


@dataclass(frozen=True, slots=True)
class DocumentLogo:
    """The seller's logo; its size in pixels is known, so that nothing moves when it arrives."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class DocumentBrand:
    """Whose paper it is: the name is set as text where there is no logo, and is the logo's text otherwise."""

    name: str
    logo: DocumentLogo | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """One labelled value: "Due" and "26 Nov 2026"."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class PartyBlock:
    """Seller or buyer: heading, name, the lines of the address, then numbers and ways to reach them."""

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
    """The heads of the columns; an empty one is a column this document does not need."""

    position: str
    name: str
    quantity: str
    unit: str
    price: str
    tax: str
    amount: str

    @property
    def before_amount(self) -> int:
        """How many columns stand left of the amount, which is how wide a label of the totals may be."""
        every = (self.position, self.name, self.quantity, self.unit, self.price, self.tax)
        return sum(1 for head in every if head)


@dataclass(frozen=True, slots=True)
class Document:
    """One version of an invoice as it is printed.

    `language` is that of the words, `content_language` that of what people wrote, when it differs.
    `includes_tax` is the sentence that says so, else empty. `details` is the block beside the parties.
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
    figures: Figures
    includes_tax: str
    items_heading: str
    details_heading: str
    accounts_heading: str
    accounts: tuple[Account, ...]
    accounts_between: str
    accounts_common: tuple[Fact, ...]
    remarks: tuple[Fact, ...]
    notes: tuple[str, ...]
    legal_note: str
