"""The accent: any brand colour can be read, and one that could be read already is left alone."""

from hypothesis import given
from hypothesis import strategies as st

from kernel.colours import READABLE, compute_contrast
from web.portal.accent import DARK_GROUND, LIGHT_GROUND, adapt_accent

colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@given(colours)
def test_any_colour_is_readable_on_both_grounds_and_carries_readable_ink(colour: str) -> None:
    made = adapt_accent(colour)
    assert compute_contrast(made.light, LIGHT_GROUND) >= READABLE
    assert compute_contrast(made.dark, DARK_GROUND) >= READABLE
    assert compute_contrast(made.on_light, made.light) >= READABLE
    assert compute_contrast(made.on_dark, made.dark) >= READABLE


def test_a_colour_that_reads_well_is_kept() -> None:
    assert adapt_accent("#1d4ed8").light == "#1d4ed8"
    assert adapt_accent("#ffd43b").dark == "#ffd43b"


def test_yellow_is_darkened_on_white_and_navy_lightened_on_black() -> None:
    assert adapt_accent("#ffd43b").light != "#ffd43b"
    assert adapt_accent("#0b1f4b").dark != "#0b1f4b"


def test_contrast_is_the_ratio_of_the_guidelines() -> None:
    assert compute_contrast("#000000", "#ffffff") == 21
    assert compute_contrast("#777777", "#777777") == 1
    assert round(compute_contrast("#767676", "#ffffff"), 2) == 4.54
