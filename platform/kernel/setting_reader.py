"""Reads single variables of the environment, with errors that name the variable and what is expected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from kernel.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PREFIX: Final = "PORTAL_"

_T = TypeVar("_T")


class SettingReader:
    """Parses variables; raises Invalid("settings.invalid") with the name of the variable."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def optional(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        """Return the value of a variable, named in lower case without the prefix; None if it is not set or empty."""
        text = self._environ.get(PREFIX + name.upper(), "").strip()
        if not text:
            return None
        try:
            return parse(text)
        except ValueError as error:
            # The value may be a secret.
            raise make_invalid_setting(name, str(error)) from None

    def require(self, name: str, parse: Callable[[str], _T], *, default: _T | None) -> _T:
        """Return the value of a variable, or the default; Invalid without both."""
        value = self.optional(name, parse)
        if value is None:
            value = default
        if value is None:
            reason = "is not set; it has no default outside the demo and test profiles"
            raise make_invalid_setting(name, reason)
        return value


def make_invalid_setting(name: str, reason: str) -> Invalid:
    """Return the error for a variable, named in lower case without the prefix."""
    variable = PREFIX + name.upper()
    return Invalid("settings.invalid", f"{variable} {reason}.", variable=variable)
