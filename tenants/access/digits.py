"""Codes of six digits: those sent by mail, and those of authenticators."""

from __future__ import annotations

import string
from typing import Final

from kernel.ids import new_code
from kernel.text import fold

LENGTH: Final = 6


def make_digits() -> str:
    """Return a random code."""
    return new_code(LENGTH, string.digits)


def clean_digits(text: str) -> str | None:
    """Return the digits of a typed code, however they are grouped and in whatever width; None if it cannot be one."""
    digits = "".join(character for character in fold(text) if character not in " -")
    return digits if len(digits) == LENGTH and digits.isascii() and digits.isdigit() else None
