"""Reads texts, numbers, amounts and dates of UBL elements by their paths."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from xml.etree.ElementTree import Element

from kernel.errors import Invalid
from kernel.money import Currency, find_currency
from kernel.text import clean_line, clean_lines
from tenants.invoices.bounds import MAX_REPETITIONS, to_fraction, to_minor

MAX_SHORT_TEXT: Final = 1_000
MAX_LONG_TEXT: Final = 20_000
# Dates plus payment or link days must stay within `datetime.date`.
FIRST_YEAR: Final = 1900
LAST_YEAR: Final = 2999

_PREFIXES: Final = MappingProxyType(
    {
        "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
        "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
    }
)
# xsd:decimal: no exponent, no NaN, no infinity, no digits of other scripts.
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class UblRefused(Invalid):
    """A document that is refused: `data["rule"]` names the broken rule, the message says how it is broken.

    Rules are those of EN 16931 (BR-…) and Peppol BIS Billing 3 (PEPPOL-EN16931-R…); ours are
    PORTAL-XML (not safe, well-formed UBL), PORTAL-SIZE, PORTAL-ROOT (not a UBL 2.1 invoice), PORTAL-ONCE
    (a value occurs more than once), PORTAL-NUMBER, PORTAL-TEXT (too long), PORTAL-LIMIT (more parts than
    an invoice may have) and PORTAL-UNSUPPORTED (a part that would be shown or computed wrongly).
    """

    def __init__(self, rule: str, message: str, **data: object) -> None:
        super().__init__("ubl.refused", f"{message} ({rule})", rule=rule, **data)


@dataclass(frozen=True, slots=True)
class Node:
    """An element, its location as error messages name it, and the currency of its amounts.

    A path consists of prefixed names: "cac:Party/cbc:Name". UblRefused("PORTAL-ONCE") if a path that is read as one
    value matches several elements.
    """

    element: Element
    location: str
    currency: Currency | None = None

    def find_all(self, path: str, limit: int = MAX_REPETITIONS) -> list[Node]:
        """Return all elements at the path; only its last name may occur more than once, up to `limit` times."""
        parents, _, name = path.rpartition("/")
        start = self.find(parents) if parents else self
        if start is None:
            return []
        found = start.element.findall(name, dict(_PREFIXES))
        if len(found) > limit:
            raise UblRefused("PORTAL-LIMIT", f"{self.location}: {path} occurs more than {limit:,} times.")
        return [replace(self, element=each) for each in found]

    def find(self, path: str) -> Node | None:
        """Return the element at the path, or None."""
        node = self
        for name in path.split("/"):
            found = node.element.findall(name, dict(_PREFIXES))
            if len(found) > 1:
                raise UblRefused("PORTAL-ONCE", f"{self.location}: {path} occurs {len(found)} times.")
            if not found:
                return None
            node = replace(self, element=found[0])
        return node

    def require(self, path: str, rule: str) -> Node:
        """Return the element at the path; UblRefused(rule) if it is missing."""
        node = self.find(path)
        if node is None:
            raise UblRefused(rule, f"{self.location}: {path} is missing.")
        return node

    def with_location(self, location: str) -> Node:
        """Return the same element with another location in error messages."""
        return replace(self, location=location)

    def read_attribute(self, name: str) -> str:
        """Return an attribute as one cleaned line, "" if it is missing."""
        return self._check_length(clean_line(self.element.get(name, "")), name, MAX_SHORT_TEXT)

    def read_text(self, path: str) -> str:
        """Return the text at the path as one cleaned line, "" if it is missing."""
        node = self.find(path)
        return (
            ""
            if node is None
            else self._check_length(clean_line(node.read_raw_text(path)), path, MAX_SHORT_TEXT)
        )

    def require_text(self, path: str, rule: str) -> str:
        """Return the text at the path as one cleaned line; UblRefused(rule) if it is missing or empty."""
        text = self.read_text(path)
        if not text:
            raise UblRefused(rule, f"{self.location}: {path} is missing or empty.")
        return text

    def read_texts(self, path: str) -> tuple[str, ...]:
        """Return the cleaned, non-empty texts at the path, with their line breaks."""
        found = (clean_lines(node.read_raw_text(path)) for node in self.find_all(path))
        return tuple(self._check_length(text, path, MAX_LONG_TEXT) for text in found if text)

    def read_number(self, path: str) -> Decimal | None:
        """Return the xsd:decimal at the path, or None; UblRefused("PORTAL-NUMBER") if it is invalid or too large."""
        node = self.find(path)
        if node is None:
            return None
        text = node.read_raw_text(path).strip(" \t\r\n")
        if len(text) > MAX_SHORT_TEXT or not _DECIMAL.fullmatch(text):
            raise UblRefused(
                "PORTAL-NUMBER", f"{self.location}: {path} {text[:40]!r} is not a decimal number."
            )
        value = Decimal(text)
        try:
            to_fraction(value, path)
        except Invalid as error:
            raise UblRefused("PORTAL-NUMBER", f"{self.location}: {error.message}") from error
        # An invoice has no negative zero.
        return value or value.copy_abs()

    def require_number(self, path: str, rule: str) -> Decimal:
        """Return the xsd:decimal at the path; UblRefused(rule) if it is missing."""
        value = self.read_number(path)
        if value is None:
            raise UblRefused(rule, f"{self.location}: {path} is missing.")
        return value

    def read_price(self, path: str) -> Decimal | None:
        """Return an amount in the node's currency with any number of digits, or None."""
        value = self.read_number(path)
        if value is not None and self.currency is not None:
            self._check_currency(path, self.currency)
        return value

    def read_amount(self, path: str, digits_rule: str) -> Decimal | None:
        """Return an amount in the node's currency, or None; UblRefused(digits_rule) if it has too many digits."""
        value = self.read_price(path)
        if value is not None and self.currency is not None:
            try:
                to_minor(value, self.currency, path)
            except Invalid as error:
                raise UblRefused(digits_rule, f"{self.location}: {error.message}") from error
        return value

    def require_amount(self, path: str, rule: str, digits_rule: str) -> Decimal:
        """Return an amount in the node's currency.

        UblRefused(rule) if it is missing, UblRefused(digits_rule) if it has too many digits.
        """
        value = self.read_amount(path, digits_rule)
        if value is None:
            raise UblRefused(rule, f"{self.location}: {path} is missing.")
        return value

    def read_date(self, path: str) -> dt.date | None:
        """Return the date at the path, or None (YYYY-MM-DD, PEPPOL-EN16931-F001)."""
        text = self.read_text(path)
        if not text:
            return None
        try:
            day = dt.date.fromisoformat(text) if _DATE.fullmatch(text) else None
        except ValueError:
            day = None
        if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
            message = f"{self.location}: {path} {text[:40]!r} is not a date from {FIRST_YEAR} to {LAST_YEAR}."
            raise UblRefused("PEPPOL-EN16931-F001", message)
        return day

    def require_flag(self, path: str) -> bool:
        """Return the xsd:boolean at the path; UblRefused("PORTAL-XML") if it is missing or invalid."""
        text = self.require_text(path, "PORTAL-XML")
        if text not in {"true", "false", "1", "0"}:
            raise UblRefused("PORTAL-XML", f"{self.location}: {path} is neither true nor false.")
        return text in {"true", "1"}

    def read_currency(self, path: str, rule: str) -> Currency | None:
        """Return the currency at the path, or None; UblRefused(rule) if it is unknown."""
        text = self.read_text(path)
        if not text:
            return None
        try:
            return find_currency(text)
        except Invalid as error:
            raise UblRefused(rule, f"{self.location}: {error.message[:200]}") from error

    def read_raw_text(self, path: str) -> str:
        """Return the element's own text; UblRefused("PORTAL-XML") if it has child elements."""
        if len(self.element):
            raise UblRefused("PORTAL-XML", f"{self.location}: {path} has elements in place of a value.")
        return self.element.text or ""

    def _check_currency(self, path: str, expected: Currency) -> None:
        code = self.require(path, "PORTAL-XML").read_attribute("currencyID")
        if code != expected.code:
            rule = "PEPPOL-EN16931-R051" if code else "BR-CL-03"
            message = (
                f"{self.location}: {path} is in {code[:40] or 'no currency'}, the invoice in {expected.code}."
            )
            raise UblRefused(rule, message)

    def _check_length(self, text: str, path: str, limit: int) -> str:
        if len(text) > limit:
            raise UblRefused("PORTAL-TEXT", f"{self.location}: {path} has more than {limit:,} characters.")
        return text
