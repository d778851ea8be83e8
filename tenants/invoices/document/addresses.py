"""Formats postal addresses by the conventions of their countries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenants.invoices.content import Address

if TYPE_CHECKING:
    from kernel.language import Language

# Universal Postal Union, "Addressing systems": town, then region and code on the same line.
# fmt: off
_TOWN_FIRST: Final = frozenset({
    "AU", "BH", "BR", "CA", "CN", "CO", "EG", "GB", "HK", "ID", "IN", "IE", "KR",
    "MX", "NZ", "PH", "PK", "SA", "SG", "TH", "TW", "UA", "US", "VN", "ZA",
})
# fmt: on
# The postal code is on a separate line below the town.
_CODE_BELOW: Final = frozenset({"GB", "IE"})
# Postal code first, then region and town, then street.
_LARGE_FIRST: Final = frozenset({"JP"})


def format_address(address: Address, language: Language, *, home_country: str) -> tuple[str, ...]:
    """Return the lines of an address; the country is named only where it is not `home_country` (ISO 3166-1)."""
    streets = (address.street, address.additional, address.line)
    country = address.country
    lines: tuple[str, ...]
    if country in _LARGE_FIRST:
        code = f"〒{address.postal_code}" if address.postal_code else ""
        lines = (code, f"{address.subdivision}{address.city}", *streets)
    elif country in _CODE_BELOW:
        lines = (*streets, address.city, address.subdivision, address.postal_code)
    elif country in _TOWN_FIRST:
        region = _join(" ", address.subdivision, address.postal_code)
        lines = (*streets, _join(", " if address.subdivision else " ", address.city, region))
    else:
        lines = (*streets, _join(" ", address.postal_code, address.city), address.subdivision)
    abroad = language.translate_country(country) if country and country != home_country else ""
    return tuple(line for line in (*lines, abroad) if line)


def _join(separator: str, *parts: str) -> str:
    return separator.join(part for part in parts if part)
