"""The series of invoice numbers, and how a number is formatted."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from kernel.errors import Invalid
from kernel.text import clean_identifier

_SERIES_NAME: Final = re.compile(r"[a-z0-9-]{1,40}")
_PREFIX: Final = re.compile(r"[^\W_]?[\w./#-]{0,19}")
MAX_DIGITS: Final = 12
#: The largest sequence number that can be set.
MAX_SEQUENCE: Final = 10**MAX_DIGITS - 1


@dataclass(frozen=True, slots=True)
class Series:
    """A series of numbers: `prefix`, then the sequence number with at least `digits` digits."""

    name: str
    prefix: str
    digits: int


@dataclass(frozen=True, slots=True)
class SeriesStatus:
    """A series, and the number that its next invoice will have."""

    series: Series
    next_number: str


DEFAULT_SERIES: Final = Series("invoices", "INV-", 5)


def check_series(series: Series) -> Series:
    """Return the series, its prefix cleaned; Invalid("series.invalid") if name, prefix or digits are invalid."""
    series = replace(series, prefix=clean_identifier(series.prefix))
    is_valid = _SERIES_NAME.fullmatch(series.name) and _PREFIX.fullmatch(series.prefix)
    if not is_valid or not 1 <= series.digits <= MAX_DIGITS:
        message = (
            "A series has a name of lower-case letters, a prefix of up to 20 characters and 1 to 12 digits."
        )
        raise Invalid("series.invalid", message, series=series.name[:40])
    return series


def check_sequence(sequence: int) -> int:
    """Return the sequence number; Invalid("series.next") if it is out of range."""
    if not 1 <= sequence <= MAX_SEQUENCE:
        message = f"The next number of a series is from 1 to {MAX_SEQUENCE}."
        raise Invalid("series.next", message, next=sequence)
    return sequence


def write_number(prefix: str, digits: int, sequence: int) -> str:
    """Return the number as the invoice shows it: INV-00042."""
    return f"{prefix}{sequence:0{digits}}"
