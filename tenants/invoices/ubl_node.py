"""Reads clean texts, numbers, amounts and dates out of UBL elements, each by its path."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from xml.etree.ElementTree import Element

from kernel.errors import Invalid
from kernel.money import Currency, currency
from tenants.invoices.bounds import MAX_REPEATS, exact, exact_minor
from tenants.invoices.ubl_text import many_lines, one_line

MAX_SHORT_TEXT: Final = 1_000
MAX_LONG_TEXT: Final = 20_000
# Sums of days must stay dates.
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
    """The document was not taken: `data["rule"]` names the rule it breaks, the message says how.

    Rules are those of EN 16931 (BR-…) and Peppol BIS Billing 3 (PEPPOL-EN16931-R…); ours are
    PORTAL-XML (not safe, well-formed UBL), PORTAL-SIZE, PORTAL-ROOT (not a UBL 2.1 invoice), PORTAL-ONCE
    (said more than once), PORTAL-NUMBER, PORTAL-TEXT (too long), PORTAL-LIMIT (beyond what an invoice
    may hold) and PORTAL-UNSUPPORTED (what we could not show or compute truthfully).
    """

    def __init__(self, rule: str, message: str, **data: object) -> None:
        super().__init__("ubl.refused", f"{message} ({rule})", rule=rule, **data)


@dataclass(frozen=True, slots=True)
class Node:
    """An element, where it stands in words, and the currency its amounts must be in.

    Paths are prefixed names, "cac:Party/cbc:Name"; what stands there twice is refused, unless all of
    it is asked for.
    """

    element: Element
    where: str
    of: Currency | None = None

    def every(self, path: str, most: int = MAX_REPEATS) -> list[Node]:
        """Return all elements at the path; only its last name may occur more than once, and `most` times."""
        parents, _, name = path.rpartition("/")
        start = self.maybe(parents) if parents else self
        if start is None:
            return []
        found = start.element.findall(name, dict(_PREFIXES))
        if len(found) > most:
            raise UblRefused("PORTAL-LIMIT", f"{self.where}: {path} stands there more than {most:,} times.")
        return [replace(self, element=each) for each in found]

    def maybe(self, path: str) -> Node | None:
        """Return the element at the path, or None."""
        node = self
        for name in path.split("/"):
            found = node.element.findall(name, dict(_PREFIXES))
            if len(found) > 1:
                raise UblRefused("PORTAL-ONCE", f"{self.where}: {path} stands there {len(found)} times.")
            if not found:
                return None
            node = replace(self, element=found[0])
        return node

    def need(self, path: str, rule: str) -> Node:
        """Return the element at the path; refused by the rule if it is missing."""
        node = self.maybe(path)
        if node is None:
            raise UblRefused(rule, f"{self.where}: {path} is missing.")
        return node

    def at(self, where: str) -> Node:
        """Return the same element, called by another name in errors."""
        return replace(self, where=where)

    def attribute(self, name: str) -> str:
        """Return an attribute as one clean line, "" if it is missing."""
        return self._limited(one_line(self.element.get(name, "")), name, MAX_SHORT_TEXT)

    def text(self, path: str) -> str:
        """Return the text at the path as one clean line, "" if there is none."""
        node = self.maybe(path)
        return "" if node is None else self._limited(one_line(node.raw(path)), path, MAX_SHORT_TEXT)

    def need_text(self, path: str, rule: str) -> str:
        """Return the text at the path as one clean line; refused by the rule if there is none."""
        text = self.text(path)
        if not text:
            raise UblRefused(rule, f"{self.where}: {path} is missing or empty.")
        return text

    def texts(self, path: str) -> tuple[str, ...]:
        """Return each text at the path, lines kept, empty ones left out."""
        found = (many_lines(node.raw(path)) for node in self.every(path))
        return tuple(self._limited(text, path, MAX_LONG_TEXT) for text in found if text)

    def number(self, path: str) -> Decimal | None:
        """Return the xsd:decimal at the path, or None; PORTAL-NUMBER if it is none or beyond all bounds."""
        node = self.maybe(path)
        if node is None:
            return None
        text = node.raw(path).strip(" \t\r\n")
        if len(text) > MAX_SHORT_TEXT or not _DECIMAL.fullmatch(text):
            raise UblRefused("PORTAL-NUMBER", f"{self.where}: {path} {text[:40]!r} is not a decimal number.")
        value = Decimal(text)
        try:
            exact(value, path)
        except Invalid as error:
            raise UblRefused("PORTAL-NUMBER", f"{self.where}: {error.message}") from error
        # There is no negative zero on an invoice.
        return value or value.copy_abs()

    def need_number(self, path: str, rule: str) -> Decimal:
        """Return the xsd:decimal at the path; refused by the rule if it is missing."""
        value = self.number(path)
        if value is None:
            raise UblRefused(rule, f"{self.where}: {path} is missing.")
        return value

    def price(self, path: str) -> Decimal | None:
        """Return an amount in our currency that may have more digits than it, or None."""
        value = self.number(path)
        if value is not None and self.of is not None:
            self._same_currency(path, self.of)
        return value

    def amount(self, path: str, digits_rule: str) -> Decimal | None:
        """Return an amount in our currency, or None; refused by the rule if it has too many digits."""
        value = self.price(path)
        if value is not None and self.of is not None:
            try:
                exact_minor(value, self.of, path)
            except Invalid as error:
                raise UblRefused(digits_rule, f"{self.where}: {error.message}") from error
        return value

    def need_amount(self, path: str, rule: str, digits_rule: str) -> Decimal:
        """Return an amount in our currency; refused by `rule` if missing, by the other if too fine."""
        value = self.amount(path, digits_rule)
        if value is None:
            raise UblRefused(rule, f"{self.where}: {path} is missing.")
        return value

    def date(self, path: str) -> dt.date | None:
        """Return the date at the path, or None (YYYY-MM-DD, PEPPOL-EN16931-F001)."""
        text = self.text(path)
        if not text:
            return None
        try:
            day = dt.date.fromisoformat(text) if _DATE.fullmatch(text) else None
        except ValueError:
            day = None
        if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
            words = f"{self.where}: {path} {text[:40]!r} is no date from {FIRST_YEAR} to {LAST_YEAR}."
            raise UblRefused("PEPPOL-EN16931-F001", words)
        return day

    def flag(self, path: str) -> bool:
        """Return the xsd:boolean at the path, which must be there."""
        text = self.need_text(path, "PORTAL-XML")
        if text not in {"true", "false", "1", "0"}:
            raise UblRefused("PORTAL-XML", f"{self.where}: {path} is neither true nor false.")
        return text in {"true", "1"}

    def currency(self, path: str, rule: str) -> Currency | None:
        """Return the currency named at the path, or None; refused by the rule if we do not know it."""
        text = self.text(path)
        if not text:
            return None
        try:
            return currency(text)
        except Invalid as error:
            raise UblRefused(rule, f"{self.where}: {error.message[:200]}") from error

    def raw(self, path: str) -> str:
        """Return the text of this very element; one that holds elements instead is not of UBL."""
        if len(self.element):
            raise UblRefused("PORTAL-XML", f"{self.where}: {path} holds elements where a value belongs.")
        return self.element.text or ""

    def _same_currency(self, path: str, of: Currency) -> None:
        named = self.need(path, "PORTAL-XML").attribute("currencyID")
        if named != of.code:
            rule = "PEPPOL-EN16931-R051" if named else "BR-CL-03"
            words = f"{self.where}: {path} is in {named[:40] or 'no currency'}, the invoice in {of.code}."
            raise UblRefused(rule, words)

    def _limited(self, text: str, path: str, most: int) -> str:
        if len(text) > most:
            raise UblRefused("PORTAL-TEXT", f"{self.where}: {path} has more than {most:,} characters.")
        return text
