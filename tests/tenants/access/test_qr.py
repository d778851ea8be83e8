"""The QR code of an authenticator, as it stands in a page."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import segno

from tenants.access.qr import draw_qr

URI = "otpauth://totp/Acme%20%26%20Co:ana%40acme.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20%26%20Co"
SVG = "{http://www.w3.org/2000/svg}"


def read_modules(path: str) -> set[tuple[int, int]]:
    """Return the dark modules of a path of horizontal strokes: moves and lines, absolute at first, then relative."""
    dark, x, y = set(), 0, 0
    for command, arguments in re.findall(r"([MmHh])([^MmHh]*)", path):
        values = [int(float(each)) for each in re.findall(r"-?[\d.]+", arguments)]
        if command in "Mm":
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
        else:
            end = values[0] if command == "H" else x + values[0]
            dark |= {(column, y) for column in range(x, end)}
            x = end
    return dark


def test_the_picture_shows_the_code_with_its_quiet_zone_and_no_address() -> None:
    drawn = draw_qr(URI)
    root = ET.fromstring(drawn)  # noqa: S314  -- our own
    light, dark = root.findall(f".//{SVG}path") or root.findall(".//path")
    assert (light.get("fill"), dark.get("stroke")) == ("#fff", "#000")
    matrix = segno.make_qr(URI, error="m").matrix
    expected = {(x + 4, y + 4) for y, row in enumerate(matrix) for x, module in enumerate(row) if module}
    # A stroke lies in the middle of its row.
    assert read_modules(str(dark.get("d"))) == expected
    assert "secret" not in drawn
    assert not re.search(r"<script|<style|href|style=", drawn)
