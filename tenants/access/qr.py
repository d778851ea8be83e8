"""QR codes as SVG."""

from __future__ import annotations

import segno


def draw_qr(text: str, *, scale: int = 5) -> str:
    """Return an `svg` element with a quiet zone of four modules, black on white whatever the page's colours.

    It has no script, no style and no address, so that it can stand in a page with a strict policy.
    """
    code = segno.make_qr(text, error="m")
    drawn: str = code.svg_inline(scale=scale, dark="#000", light="#fff", border=4, omitsize=False)
    return drawn
