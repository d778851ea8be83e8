"""Draws Live mode and the PDF at two device pixels per CSS pixel, and finds the pixels that differ."""

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

#: The largest share of different pixels in a sheet and in each part of it (ops/decisions/0011).
MAX_DIFFERENT_SHARE: Final = 0.0005
SCALE: Final = 2
# Two rasterisers differ in how dark the pixels at an edge are: Skia corrects contrast and gamma of letters, PDFium
# by tables of its own, and it sets letters on whole pixels. Both therefore draw four times larger, and each pixel is
# the mean of sixteen: how much of it is covered, which depends on the outlines and not on the rasteriser.
_OVERSAMPLING: Final = 4
# A page of a PDF is drawn in strips, which stay in the processor's cache: a whole one is 200 MB.
_STRIP_HEIGHT: Final = 128
# A pixel differs from this distance in YIQ on (Kotsarenko and Ramos, "Measuring perceived color difference using YIQ
# NTSC transmission color space in mobile applications", 2010), the measure of pixelmatch and of Playwright's
# toHaveScreenshot; 0.2 is the latter's default. Unlike there, antialiased pixels count. Where a pixel has
# a uniform colour in both, the colours must be equal.
_THRESHOLD: Final = 0.2
_MAX_DISTANCE: Final = 35215.0
_YIQ: Final = (
    *(0.29889531, 0.58662247, 0.11448223, 0.0),
    *(0.59597799 / 2, -0.27417610 / 2, -0.32180189 / 2, 128.0),
    *(0.21147017 / 2, -0.52261711 / 2, 0.31114694 / 2, 128.0),
)
_WEIGHTS: Final = (0.5053, 0.299 * 4, 0.1957 * 4)
_LIMIT: Final = 128
# A sheet has some fifty million pixels as it is drawn, above Pillow's limit.
Image.MAX_IMAGE_PIXELS = None


class Raster:
    """A part of the paper at two device pixels per CSS pixel, with the contrast inside each pixel."""

    def __init__(self, pixels: Image.Image, middles: Image.Image) -> None:
        """Take the mean and the middle one of the pixels that were drawn for each."""
        self.size, self.pixels = pixels.size, pixels
        self._contrast = ImageChops.difference(pixels, middles)

    def crop(self, box: tuple[int, int, int, int]) -> Raster:
        """Return a part of it."""
        part = Raster.__new__(Raster)
        part.pixels, part._contrast = self.pixels.crop(box), self._contrast.crop(box)
        part.size = part.pixels.size
        return part

    def find_differences(self, other: Raster) -> Image.Image:
        """Return 255 where the two differ visibly, or at all where both have a uniform colour."""
        size = (min(self.size[0], other.size[0]), min(self.size[1], other.size[1]))
        one, two = (each.crop((0, 0, *size)) for each in (self, other))
        differs = _select_values(_measure_distances(one.pixels, two.pixels), range(_LIMIT, 256))
        uniform = _select_values(_max_of_channels(ImageChops.lighter(one._contrast, two._contrast)), range(1))
        shades = _select_values(
            _max_of_channels(ImageChops.difference(one.pixels, two.pixels)), range(1, 256)
        )
        return ImageChops.lighter(differs, ImageChops.darker(uniform, shades))


def compute_share(differences: Image.Image) -> float:
    """Return the share of pixels that differ."""
    return differences.histogram()[255] / (differences.width * differences.height)


async def measure_shares(page: Page, data: bytes, sheets: Sequence[Sheet]) -> dict[str, float]:
    """Return the share of different pixels of each sheet and of each of its parts."""
    session = await page.context.new_cdp_session(page)
    found: dict[str, float] = {}
    for sheet in sheets:
        top, bottom = _measure_span(sheet)
        paper = draw_pdf_page(data, sheet.page)
        live = await capture_page(page, session, sheet.offset_y, top, bottom)
        differences = live.find_differences(paper.crop((0, top * SCALE, paper.size[0], bottom * SCALE)))
        for name, upper, lower in _list_bands(sheet):
            first, last = (round((edge - top) * SCALE) for edge in (upper, lower))
            found[f"{sheet.name}: {name}"] = compute_share(
                differences.crop((0, first, differences.width, last))
            )
    return found


async def capture_page(page: Page, session: CDPSession, lower: float, top: int, bottom: int) -> Raster:
    """Capture a sheet between two heights, with the paper moved down by `lower` CSS pixels."""
    await page.evaluate("top => { document.querySelector('.paper').style.top = `${top}px`; }", lower)
    width = await page.evaluate("document.querySelector('.paper').getBoundingClientRect().width")
    clip = {"x": 0, "y": top, "width": width, "height": bottom - top, "scale": SCALE * _OVERSAMPLING}
    options = {"format": "png", "optimizeForSpeed": True, "clip": clip}
    shot = await session.send("Page.captureScreenshot", options)
    return Raster(*_shrink(Image.open(io.BytesIO(b64decode(shot["data"])))))


@lru_cache(maxsize=2)
def draw_pdf_page(data: bytes, number: int) -> Raster:
    """Return a page of a PDF."""
    scale = SCALE * _OVERSAMPLING * PX
    with pypdfium2.PdfDocument(data) as pdf:
        page: Any = pdf[number]
        width, height = (round(side * scale) // _OVERSAMPLING for side in page.get_size())
        pixels, middles = (Image.new("RGB", (width, height)) for _ in range(2))
        large_size = (width * _OVERSAMPLING, _STRIP_HEIGHT * _OVERSAMPLING)
        bitmap = pypdfium2.PdfBitmap.new_native(*large_size, pdfium.FPDFBitmap_BGRx)
        large = Image.frombuffer("RGBX", large_size, bitmap.buffer, "raw", "RGBX", 0, 1)
        for top in range(0, height, _STRIP_HEIGHT):
            bitmap.fill_rect((255, 255, 255, 255), 0, 0, *large_size)
            # By a matrix, because a page that is fitted to a whole number of pixels is stretched.
            matrix = pdfium.FS_MATRIX(scale, 0, 0, scale, 0, -top * _OVERSAMPLING)
            flags = pdfium.FPDF_ANNOT | pdfium.FPDF_REVERSE_BYTE_ORDER
            pdfium.FPDF_RenderPageBitmapWithMatrix(
                bitmap, page, matrix, pdfium.FS_RECTF(0, 0, *large_size), flags
            )
            for whole, strip in zip((pixels, middles), _shrink(large), strict=True):
                whole.paste(strip, (0, top))
        return Raster(pixels, middles)


def _shrink(large: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Return the mean and the middle one of the pixels that were drawn for each pixel."""
    size = (large.width // _OVERSAMPLING, large.height // _OVERSAMPLING)
    box = (0, 0, size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING)
    means, middles = large.reduce(_OVERSAMPLING, box), large.resize(size, Image.Resampling.NEAREST, box)
    return means.convert("RGB"), middles.convert("RGB")


def _measure_span(sheet: Sheet) -> tuple[int, int]:
    """Return the whole pixels that hold all of a sheet's parts."""
    edges = [edge + sheet.offset_y for part in sheet.parts for edge in (part.top, part.bottom)]
    return math.floor(min(edges)), math.ceil(max(edges))


def _list_bands(sheet: Sheet) -> Iterator[tuple[str, float, float]]:
    yield "all", *_measure_span(sheet)
    for part in sheet.parts:
        yield f"part {part.block}", part.top + sheet.offset_y, part.bottom + sheet.offset_y


def _measure_distances(one: Image.Image, two: Image.Image) -> Image.Image:
    """Return the distance of each pixel, 128 being the threshold."""
    unit = _LIMIT / (_MAX_DISTANCE * _THRESHOLD * _THRESHOLD)
    difference = ImageChops.difference(one.convert("RGB", _YIQ), two.convert("RGB", _YIQ))
    squares = [
        band.point([min(255, round(weight * unit * value * value)) for value in range(256)])
        for band, weight in zip(difference.split(), _WEIGHTS, strict=True)
    ]
    return ImageChops.add(ImageChops.add(squares[0], squares[1]), squares[2])


def _select_values(picture: Image.Image, values: range) -> Image.Image:
    return picture.point([255 * (value in values) for value in range(256)])


def _max_of_channels(picture: Image.Image) -> Image.Image:
    red, green, blue = picture.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)
