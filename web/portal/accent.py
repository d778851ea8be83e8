"""Adapts a brand's colour as little as it takes to be readable on the light and on the dark page."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from kernel.colours import BLACK, WHITE, choose_text_colour, mix_until_readable
from web.portal.page import Accent

# Backgrounds of web/assets below the accent: the darkest of the light theme, the lightest of the dark one.
LIGHT_GROUND: Final = "#f3f3f0"
DARK_GROUND: Final = "#22252a"


@lru_cache(maxsize=4096)
def adapt_accent(colour: str) -> Accent:
    """Return `colour` ("#rrggbb") mixed with black for the light theme and with white for the dark one."""
    light = mix_until_readable(colour, LIGHT_GROUND, BLACK)
    dark = mix_until_readable(colour, DARK_GROUND, WHITE)
    return Accent(
        light=light,
        on_light=choose_text_colour(light),
        dark=dark,
        on_dark=choose_text_colour(dark),
    )
