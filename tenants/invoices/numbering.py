"""Invoice numbers: how one is written from its series."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from kernel.errors import Invalid
from kernel.text import clean_identifier

_NAME: Final = re.compile(r"[a-z0-9-]{1,40}")
_PREFIX: Final = re.compile(r"[^\W_]?[\w./#-]{0,19}")
MOST_DIGITS: Final = 12
#: The largest running number that can be set: more digits are a typing error.
MAX_RUNNING: Final = 10**MOST_DIGITS - 1


@dataclass(frozen=True, slots=True)
class Series:
    """A series of numbers: `prefix`, then the running number with at least `digits` digits."""

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
    """Return it; Invalid("series.invalid") if name, prefix or number of digits cannot be."""
    series = replace(series, prefix=clean_identifier(series.prefix))
    is_valid = _NAME.fullmatch(series.name) and _PREFIX.fullmatch(series.prefix)
    if not is_valid or not 1 <= series.digits <= MOST_DIGITS:
        message = (
            "A series has a name of lower-case letters, a prefix of up to 20 characters and 1 to 12 digits."
        )
        raise Invalid("series.invalid", message, series=series.name[:40])
    return series


def check_running(running: int) -> int:
    """Return it; Invalid("series.next") if it cannot be the running number of an invoice."""
    if not 1 <= running <= MAX_RUNNING:
        message = f"The next number of a series is from 1 to {MAX_RUNNING}."
        raise Invalid("series.next", message, next=running)
    return running


def write_number(prefix: str, digits: int, running: int) -> str:
    """Return the number as the invoice shows it: INV-00042."""
    return f"{prefix}{running:0{digits}}"
