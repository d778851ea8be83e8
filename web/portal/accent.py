"""A brand's colour, moved just as far as it takes to be read on the light and on the dark page."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from web.portal.page import Accent

# The grounds of web/assets: the darkest the light theme and the lightest the dark theme put under the accent.
LIGHT_GROUND: Final = "#f3f3f0"
DARK_GROUND: Final = "#22252a"
READABLE: Final = 4.5  # WCAG 2.2, 1.4.3, text of normal size
_STEPS: Final = 64

_Colour = tuple[int, int, int]


@lru_cache(maxsize=4096)
def accent(colour: str) -> Accent:
    """Return `colour` ("#rrggbb") mixed with black for the light theme and with white for the dark one."""
    light = _readable(_parse(colour), _parse(LIGHT_GROUND), (0, 0, 0))
    dark = _readable(_parse(colour), _parse(DARK_GROUND), (255, 255, 255))
    return Accent(light=_hex(light), on_light=_ink(light), dark=_hex(dark), on_dark=_ink(dark))


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    return _contrast(_parse(one), _parse(other))


def _readable(colour: _Colour, ground: _Colour, towards: _Colour) -> _Colour:
    for step in range(_STEPS + 1):
        mixed = _mix(colour, towards, step)
        if _contrast(mixed, ground) >= READABLE:
            return mixed
    return towards


def _mix(colour: _Colour, towards: _Colour, step: int) -> _Colour:
    red, green, blue = (round(a + (b - a) * step / _STEPS) for a, b in zip(colour, towards, strict=True))
    return red, green, blue


def _ink(colour: _Colour) -> str:
    black, white = (0, 0, 0), (255, 255, 255)
    return _hex(black if _contrast(colour, black) > _contrast(colour, white) else white)


def _contrast(one: _Colour, other: _Colour) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: _Colour) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parse(colour: str) -> _Colour:
    digits = colour.removeprefix("#")
    return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)


def _hex(colour: _Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
