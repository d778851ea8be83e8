"""Adapts a brand's colour as little as it takes to be readable on the light and on the dark page."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from web.portal.page import Accent

# Backgrounds of web/assets below the accent: the darkest of the light theme, the lightest of the dark one.
LIGHT_GROUND: Final = "#f3f3f0"
DARK_GROUND: Final = "#22252a"
READABLE: Final = 4.5  # WCAG 2.2, 1.4.3, text of normal size
_STEPS: Final = 64

_Colour = tuple[int, int, int]


@lru_cache(maxsize=4096)
def adapt_accent(colour: str) -> Accent:
    """Return `colour` ("#rrggbb") mixed with black for the light theme and with white for the dark one."""
    light = _mix_until_readable(_parse_hex(colour), _parse_hex(LIGHT_GROUND), (0, 0, 0))
    dark = _mix_until_readable(_parse_hex(colour), _parse_hex(DARK_GROUND), (255, 255, 255))
    return Accent(
        light=_format_hex(light),
        on_light=_choose_text_colour(light),
        dark=_format_hex(dark),
        on_dark=_choose_text_colour(dark),
    )


def compute_contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    return _compute_contrast(_parse_hex(one), _parse_hex(other))


def _mix_until_readable(colour: _Colour, ground: _Colour, towards: _Colour) -> _Colour:
    for step in range(_STEPS + 1):
        mixed = _mix_colours(colour, towards, step)
        if _compute_contrast(mixed, ground) >= READABLE:
            return mixed
    return towards


def _mix_colours(colour: _Colour, towards: _Colour, step: int) -> _Colour:
    red, green, blue = (round(a + (b - a) * step / _STEPS) for a, b in zip(colour, towards, strict=True))
    return red, green, blue


def _choose_text_colour(colour: _Colour) -> str:
    black, white = (0, 0, 0), (255, 255, 255)
    return _format_hex(
        black if _compute_contrast(colour, black) > _compute_contrast(colour, white) else white
    )


def _compute_contrast(one: _Colour, other: _Colour) -> float:
    low, high = sorted((_compute_luminance(one), _compute_luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _compute_luminance(colour: _Colour) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parse_hex(colour: str) -> _Colour:
    digits = colour.removeprefix("#")
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def _format_hex(colour: _Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
