"""Contrast of colours, written as #rrggbb: measured, and reached by mixing."""

from __future__ import annotations

from typing import Final

READABLE: Final = 4.5  # WCAG 2.2, 1.4.3, text of normal size
BLACK: Final = "#000000"
WHITE: Final = "#ffffff"
_STEPS: Final = 64

_Colour = tuple[int, int, int]


def compute_contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    return _compute_contrast(_parse_hex(one), _parse_hex(other))


def mix_until_readable(colour: str, ground: str, towards: str) -> str:
    """Return the colour mixed with as little of `towards` as makes it readable on `ground`."""
    start, below, end = _parse_hex(colour), _parse_hex(ground), _parse_hex(towards)
    for step in range(_STEPS + 1):
        mixed = _mix_colours(start, end, step)
        if _compute_contrast(mixed, below) >= READABLE:
            return _format_hex(mixed)
    return towards


def choose_text_colour(ground: str) -> str:
    """Return black or white, whichever reads better on `ground`."""
    return max((WHITE, BLACK), key=lambda colour: compute_contrast(colour, ground))


def _mix_colours(colour: _Colour, towards: _Colour, step: int) -> _Colour:
    red, green, blue = (round(a + (b - a) * step / _STEPS) for a, b in zip(colour, towards, strict=True))
    return red, green, blue


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
