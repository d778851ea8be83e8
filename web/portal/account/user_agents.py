"""Browsers in words, for the list of sessions: which browser on which system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web.http.templates import mark_text as _

if TYPE_CHECKING:
    from kernel.language import Language

# The first that is found: Edge and Opera also name Chrome, Chrome also names Safari, Android also names Linux. Names
# of products are not translated.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_BOTH: Final = _("%(browser)s on %(system)s")
_UNKNOWN: Final = _("Unknown browser")


def describe_user_agent(user_agent: str, language: Language) -> str:
    """Return the browser and the system that a User-Agent header names, as far as it names them."""
    browser, system = _find(_BROWSERS, user_agent), _find(_SYSTEMS, user_agent)
    if browser and system:
        return language.gettext(_BOTH) % {"browser": browser, "system": system}
    return browser or system or language.gettext(_UNKNOWN)


def _find(names: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for mark, name in names if mark in user_agent), "")
