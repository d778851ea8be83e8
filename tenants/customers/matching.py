"""The key by which an import finds the buyer of an invoice among the customers."""

from __future__ import annotations

from kernel.text import fold


def build_match_key(*, name: str, vat_id: str, identifier: str, postal_code: str, country: str) -> str:
    """Return the strongest of VAT id, identifier, and name with postal code and country, normalised.

    Two customers may have the same key; then an import takes the older one.
    """
    if vat_id:
        return "vat:" + _strip_punctuation(vat_id)
    if identifier:
        return "id:" + fold(identifier)
    return "name:" + "|".join((fold(name), _strip_punctuation(postal_code), country.upper()))


def _strip_punctuation(text: str) -> str:
    return "".join(character for character in text.upper() if character.isalnum())
