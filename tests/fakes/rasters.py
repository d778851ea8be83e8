"""Draws Live mode and the PDF at twice the pixels, and says which pixels differ."""

from __future__ import annotations

import io
from base64 import b64decode
from typing import Any, Final

import pypdfium2
from PIL import Image, ImageChops
from playwright.async_api import CDPSession, Page
from pypdfium2 import raw as pdfium

from tests.fakes.words import PX

#: rendering.md's target: the share of pixels at twice the pixels that may differ.
SHARE: Final = 0.0005
SCALE: Final = 2
# Two rasterisers do not agree on how dark an edge is: Skia corrects contrast and gamma of letters, PDFium has its own
# tables, and places letters on whole pixels. Both are therefore drawn several times larger and reduced by averaging:
# a pixel then says how much of it is covered, which is a matter of the outlines and not of who fills them.
_OVER: Final = 4
# A pixel differs at this distance in YIQ (Kotsarenko and Ramos, "Measuring perceived color difference using YIQ NTSC
# transmission color space in mobile applications", 2010), as in pixelmatch and Playwright's toHaveScreenshot, of
# which 0.2 is the default. Nothing is passed over as antialiasing.
_THRESHOLD: Final = 0.2
_FARTHEST: Final = 35215.0
_YIQ: Final = (
    *(0.29889531, 0.58662247, 0.11448223, 0.0),
    *(0.59597799 / 2, -0.27417610 / 2, -0.32180189 / 2, 128.0),
    *(0.21147017 / 2, -0.52261711 / 2, 0.31114694 / 2, 128.0),
)
_WEIGHTS: Final = (0.5053, 0.299 * 4, 0.1957 * 4)
_LIMIT: Final = 128
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
        differs = _apart(one.pixels, two.pixels).point(lambda value: 255 * (value >= _LIMIT))
        plain = _any(ImageChops.lighter(one._mixed, two._mixed)).point(lambda value: 255 * (value == 0))
        shades = _any(ImageChops.difference(one.pixels, two.pixels)).point(lambda value: 255 * (value > 0))
        return ImageChops.lighter(differs, ImageChops.darker(plain, shades))


def share(unlike: Image.Image) -> float:
    """Return the share of pixels that differ."""
    return unlike.histogram()[255] / (unlike.width * unlike.height)


async def photograph(page: Page, cdp: CDPSession, lower: float, top: float, bottom: float) -> Picture:
    """Return the paper between two heights of a sheet on which it stands `lower` by some CSS pixels."""
    await page.evaluate("top => { document.querySelector('.paper').style.top = `${top}px`; }", lower)
    width = await page.evaluate("document.querySelector('.paper').getBoundingClientRect().width")
    clip = {"x": 0, "y": top, "width": width, "height": bottom - top, "scale": SCALE * _OVER}
    shot = await cdp.send(
        "Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True, "clip": clip}
    )
    return Picture(Image.open(io.BytesIO(b64decode(shot["data"]))))


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
        pdfium.FPDF_RenderPageBitmapWithMatrix(
            bitmap, page, matrix, pdfium.FS_RECTF(0, 0, width, height), pdfium.FPDF_ANNOT
        )
        return Picture(bitmap.to_pil())


def _apart(one: Image.Image, two: Image.Image) -> Image.Image:
    """Return the distance of each pixel, 128 being the threshold."""
    unit = _LIMIT / (_FARTHEST * _THRESHOLD * _THRESHOLD)
    difference = ImageChops.difference(one.convert("RGB", _YIQ), two.convert("RGB", _YIQ))
    squares = [
        band.point([min(255, round(weight * unit * value * value)) for value in range(256)])
        for band, weight in zip(difference.split(), _WEIGHTS, strict=True)
    ]
    return ImageChops.add(ImageChops.add(squares[0], squares[1]), squares[2])


def _any(picture: Image.Image) -> Image.Image:
    red, green, blue = picture.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)
