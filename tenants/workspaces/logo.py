"""Logos: foreign bytes go in, our own PNG comes out; nothing that was uploaded is ever served."""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import Final

from PIL import Image, ImageOps

from kernel.errors import Invalid
from tenants.workspaces.profile import LogoImage

LARGEST_UPLOAD: Final = 2 * 1024 * 1024  # bytes
MOST_PIXELS: Final = 16_000_000
WIDEST: Final = 960  # pixels: twice of what any page shows
TALLEST: Final = 480
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_TOO_MANY_PIXELS: Final = "A logo has at most 16 megapixels."


def reencode(upload: bytes) -> LogoImage:
    """Return the uploaded picture as a PNG of at most 960 x 480 pixels, without metadata.

    A large picture takes a second of processor time: call it before the unit of work is opened, and in a thread where
    an event loop serves others.
    PNG, JPEG, WebP and GIF (its first frame) are read. Invalid: `logo.too_large` (2 MiB, 16 megapixels),
    `logo.refused` (anything that is not such a picture, or a broken one; SVG too, because it is a program).
    """
    if len(upload) > LARGEST_UPLOAD:
        raise Invalid("logo.too_large", "A logo has at most 2 MiB.", size=len(upload), most=LARGEST_UPLOAD)
    drawn = _draw(upload)
    drawn.thumbnail((WIDEST, TALLEST), Image.Resampling.LANCZOS)
    # A new image: pixels are all that is taken along.
    clean = Image.new("RGBA", drawn.size)
    clean.paste(drawn)
    buffer = io.BytesIO()
    clean.save(buffer, format="PNG", optimize=True)
    png = buffer.getvalue()
    return LogoImage(png, hashlib.sha256(png).hexdigest(), clean.width, clean.height)


def _draw(upload: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings(action="ignore"):
            picture = Image.open(io.BytesIO(upload), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise Invalid("logo.too_large", _TOO_MANY_PIXELS) from error
    # Decoders meet hostile bytes with whatever error comes first: OSError, SyntaxError, struct.error …
    except Exception as error:
        raise _refused() from error
    # The header's word, before a single pixel is unpacked.
    if picture.width * picture.height > MOST_PIXELS:
        raise Invalid("logo.too_large", _TOO_MANY_PIXELS, width=picture.width, height=picture.height)
    try:
        with warnings.catch_warnings(action="ignore"):
            return ImageOps.exif_transpose(picture).convert("RGBA")
    except Exception as error:
        raise _refused() from error


def _refused() -> Invalid:
    return Invalid("logo.refused", "A logo is a PNG, JPEG, WebP or GIF picture.")
