"""Draws Live mode and the PDF, and says which of their pixels differ at twice the pixels."""

from __future__ import annotations

import io
import math
from base64 import b64decode
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import pypdfium2
from PIL import Image, ImageChops
from playwright.async_api import CDPSession, Page
from pypdfium2 import raw as pdfium

from tests.fakes.page_pdf_comparison import Sheet
from tests.fakes.words import PX

#: rendering.md's target: the share of pixels that may differ, of a sheet and of each part of it.
SHARE: Final = 0.0005
SCALE: Final = 2
# Two rasterisers do not agree how dark the pixels at an edge are: Skia corrects contrast and gamma of letters, PDFium
# by tables of its own, and it sets letters on whole pixels. Both therefore draw four times larger, and each pixel is
# the mean of sixteen: how much of it is covered, which is a matter of the outlines and not of who fills them.
_OVER: Final = 4
# A pixel differs from this distance in YIQ on (Kotsarenko and Ramos, "Measuring perceived color difference using YIQ
# NTSC transmission color space in mobile applications", 2010), the measure of pixelmatch and of Playwright's
# toHaveScreenshot; 0.2 is the latter's default. Unlike there no pixel is passed over as antialiasing. Where a pixel is
# of one colour all over in both, no shade may be another.
_THRESHOLD: Final = 0.2
_FARTHEST: Final = 35215.0
_YIQ: Final = (
    *(0.29889531, 0.58662247, 0.11448223, 0.0),
    *(0.59597799 / 2, -0.27417610 / 2, -0.32180189 / 2, 128.0),
    *(0.21147017 / 2, -0.52261711 / 2, 0.31114694 / 2, 128.0),
)
_WEIGHTS: Final = (0.5053, 0.299 * 4, 0.1957 * 4)
_LIMIT: Final = 128
# A sheet is some fifty million pixels as drawn, which Pillow would take for an attack.
Image.MAX_IMAGE_PIXELS = None


class Picture:
    """A part of the paper at twice the pixels, with the colours of the pixels that are of one colour all over."""

    def __init__(self, large: Image.Image) -> None:
        """Take it as drawn, larger than that."""
        self.size = (large.width // _OVER, large.height // _OVER)
        large = large.convert("RGB").crop((0, 0, self.size[0] * _OVER, self.size[1] * _OVER))
        self.pixels = large.reduce(_OVER)
        middle = large.resize(self.size, Image.Resampling.NEAREST)
        self._mixed = ImageChops.difference(self.pixels, middle)

    def crop(self, box: tuple[int, int, int, int]) -> Picture:
        """Return a part of it."""
        part = Picture.__new__(Picture)
        part.pixels, part._mixed = self.pixels.crop(box), self._mixed.crop(box)
        part.size = part.pixels.size
        return part

    def unlike(self, other: Picture) -> Image.Image:
        """Return 255 where the two differ: by eye, or, where both are of one colour, at all."""
        size = (min(self.size[0], other.size[0]), min(self.size[1], other.size[1]))
        one, two = (each.crop((0, 0, *size)) for each in (self, other))
        differs = _where(_apart(one.pixels, two.pixels), range(_LIMIT, 256))
        plain = _where(_any(ImageChops.lighter(one._mixed, two._mixed)), range(1))
        shades = _where(_any(ImageChops.difference(one.pixels, two.pixels)), range(1, 256))
        return ImageChops.lighter(differs, ImageChops.darker(plain, shades))


def share(unlike: Image.Image) -> float:
    """Return the share of pixels that differ."""
    return unlike.histogram()[255] / (unlike.width * unlike.height)


async def shares(page: Page, data: bytes, sheets: Sequence[Sheet]) -> dict[str, float]:
    """Return which share of the pixels differs on each of some sheets and in each of its parts."""
    session = await page.context.new_cdp_session(page)
    found: dict[str, float] = {}
    for sheet in sheets:
        top, bottom = _span(sheet)
        paper = drawn(data, sheet.page)
        live = await photograph(page, session, sheet.lower, top, bottom)
        unlike = live.unlike(paper.crop((0, top * SCALE, paper.size[0], bottom * SCALE)))
        for name, upper, lower in _bands(sheet):
            first, last = (round((edge - top) * SCALE) for edge in (upper, lower))
            found[f"{sheet.name}: {name}"] = share(unlike.crop((0, first, unlike.width, last)))
    return found


async def photograph(page: Page, session: CDPSession, lower: float, top: int, bottom: int) -> Picture:
    """Return what is between two heights of a sheet on which the paper stands `lower` by so many CSS pixels."""
    await page.evaluate("top => { document.querySelector('.paper').style.top = `${top}px`; }", lower)
    width = await page.evaluate("document.querySelector('.paper').getBoundingClientRect().width")
    clip = {"x": 0, "y": top, "width": width, "height": bottom - top, "scale": SCALE * _OVER}
    asked = {"format": "png", "optimizeForSpeed": True, "clip": clip}
    shot = await session.send("Page.captureScreenshot", asked)
    return Picture(Image.open(io.BytesIO(b64decode(shot["data"]))))


@lru_cache(maxsize=2)
def drawn(data: bytes, number: int) -> Picture:
    """Return a page of a PDF."""
    scale = SCALE * _OVER * PX
    with pypdfium2.PdfDocument(data) as pdf:
        page: Any = pdf[number]
        width, height = (round(side * scale) for side in page.get_size())
        bitmap = pypdfium2.PdfBitmap.new_native(width, height, pdfium.FPDFBitmap_BGR)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        # By a matrix, because a page that is fitted to a whole number of pixels is stretched.
        matrix = pdfium.FS_MATRIX(scale, 0, 0, scale, 0, 0)
        clip = pdfium.FS_RECTF(0, 0, width, height)
        pdfium.FPDF_RenderPageBitmapWithMatrix(bitmap, page, matrix, clip, pdfium.FPDF_ANNOT)
        return Picture(bitmap.to_pil())


def _span(sheet: Sheet) -> tuple[int, int]:
    """Return the whole pixels that hold all of a sheet's parts."""
    edges = [edge + sheet.lower for part in sheet.parts for edge in (part.top, part.bottom)]
    return math.floor(min(edges)), math.ceil(max(edges))


def _bands(sheet: Sheet) -> Iterator[tuple[str, float, float]]:
    yield "all", *_span(sheet)
    for part in sheet.parts:
        yield f"part {part.block}", part.top + sheet.lower, part.bottom + sheet.lower


def _apart(one: Image.Image, two: Image.Image) -> Image.Image:
    """Return the distance of each pixel, 128 being the threshold."""
    unit = _LIMIT / (_FARTHEST * _THRESHOLD * _THRESHOLD)
    difference = ImageChops.difference(one.convert("RGB", _YIQ), two.convert("RGB", _YIQ))
    squares = [
        band.point([min(255, round(weight * unit * value * value)) for value in range(256)])
        for band, weight in zip(difference.split(), _WEIGHTS, strict=True)
    ]
    return ImageChops.add(ImageChops.add(squares[0], squares[1]), squares[2])


def _where(picture: Image.Image, values: range) -> Image.Image:
    return picture.point([255 * (value in values) for value in range(256)])


def _any(picture: Image.Image) -> Image.Image:
    red, green, blue = picture.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)
