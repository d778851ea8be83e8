"""Values of a customer and its contacts, checked before they are stored."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from kernel.errors import Invalid
from kernel.ids import ContactId, CustomerId

LONGEST_NAME: Final = 500
LONGEST_EMAIL: Final = 254  # RFC 5321, 4.5.3.1.3

# Enough to find typing errors; whether mail arrives is for mail to find out.
_EMAIL: Final = re.compile(r"[^\s@<>(),;:\"\\]{1,64}@[a-z0-9-]+(\.[a-z0-9-]+)+")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class CustomerDetails:
    """What is known of a customer; `country` is ISO 3166-1 alpha-2, `locale` a BCP 47 tag or None."""

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
    """Return the name in NFC with single spaces; Invalid("customer.name") if nothing or too much is left."""
    clean = tidy(name)
    if not 1 <= len(clean) <= LONGEST_NAME:
        raise Invalid("customer.name", f"A name has 1 to {LONGEST_NAME} characters.")
    return clean


def check_email(email: str) -> str:
    """Return an address in lower case; Invalid("email.invalid") if it cannot be one."""
    clean = unicodedata.normalize("NFC", email).strip().lower()
    if len(clean) > LONGEST_EMAIL or not _EMAIL.fullmatch(clean):
        raise Invalid("email.invalid", "This is not an e-mail address.")
    return clean


def check_country(code: str) -> str:
    """Return "" or two capitals (ISO 3166-1); Invalid("country.invalid") otherwise."""
    clean = code.strip().upper()
    if clean and not _COUNTRY.fullmatch(clean):
        raise Invalid("country.invalid", "A country is two letters (ISO 3166-1).", country=clean[:10])
    return clean


def tidy(text: str) -> str:
    """Return the text in NFC, on one line, without control characters and outer spaces."""
    return " ".join(
        "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFC", text)).split()
    )


def tolerated_email(email: str) -> str:
    """Return an address in lower case, or "" for what cannot be one."""
    try:
        return check_email(email)
    except Invalid:
        return ""


def tolerated_country(code: str) -> str:
    """Return two capitals, or "" for what cannot be a country."""
    try:
        return check_country(code)
    except Invalid:
        return ""
