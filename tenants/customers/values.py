"""Values of a customer and its contacts, checked before they are stored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kernel.errors import Invalid
from kernel.identifiers import check_email
from kernel.text import clean_identifier, clean_line
from tenants.ids import ContactId, CustomerId

MAX_NAME_LENGTH: Final = 500

_COUNTRY: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    """The details of a customer; `country` is ISO 3166-1 alpha-2, `locale` a BCP 47 tag or None."""

    name: str
    street: str = ""
    additional: str = ""
    postal_code: str = ""
    city: str = ""
    subdivision: str = ""
    country: str = ""
    vat_id: str = ""
    identifier: str = ""
    email: str = ""
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Customer:
    """A stored customer."""

    customer_id: CustomerId
    details: CustomerDetails


@dataclass(frozen=True, slots=True)
class Contact:
    """A stored contact; None as locale means the customer's."""

    contact_id: ContactId
    customer_id: CustomerId
    name: str
    email: str
    locale: str | None


def check_name(name: str) -> str:
    """Return the name as one cleaned line; Invalid("customer.name") if it is empty or too long."""
    clean = clean_line(name)
    if not 1 <= len(clean) <= MAX_NAME_LENGTH:
        raise Invalid("customer.name", f"A name has 1 to {MAX_NAME_LENGTH} characters.")
    return clean


def check_country(code: str) -> str:
    """Return "" or two capitals (ISO 3166-1); Invalid("country.invalid") otherwise."""
    clean = clean_identifier(code).upper()
    if clean and not _COUNTRY.fullmatch(clean):
        raise Invalid("country.invalid", "A country is two letters (ISO 3166-1).", country=clean[:10])
    return clean


def drop_invalid_email(email: str) -> str:
    """Return an address in lower case, or "" where it is invalid."""
    try:
        return check_email(email)
    except Invalid:
        return ""


def drop_invalid_country(code: str) -> str:
    """Return two capitals (ISO 3166-1), or "" where they are invalid."""
    try:
        return check_country(code)
    except Invalid:
        return ""
