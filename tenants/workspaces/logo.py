"""Logos: an uploaded picture is decoded and encoded again as PNG; uploaded bytes are never served."""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import Final

from PIL import Image, ImageOps

from kernel.errors import Invalid
from tenants.workspaces.profile import LogoImage

MAX_UPLOAD_BYTES: Final = 2 * 1024 * 1024  # bytes
MAX_PIXELS: Final = 16_000_000
MAX_WIDTH: Final = 960  # pixels: twice the largest size on a page
MAX_HEIGHT: Final = 480
FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")
_TOO_MANY_PIXELS: Final = "A logo has at most 16 megapixels."


def reencode(upload: bytes) -> LogoImage:
    """Return the uploaded picture as a PNG of at most 960 x 480 pixels, without metadata.

    A large picture takes a second of processor time: call it before the unit of work is opened, and in a thread where
    an event loop serves others.
    PNG, JPEG, WebP and GIF (its first frame) are read. Invalid: `logo.too_large` (2 MiB, 16 megapixels),
    `logo.refused` (anything that is not such a picture, or a broken one; SVG too, because it is a program).
    """
    if len(upload) > MAX_UPLOAD_BYTES:
        raise Invalid("logo.too_large", "A logo has at most 2 MiB.", size=len(upload), most=MAX_UPLOAD_BYTES)
    picture = _decode(upload)
    picture.thumbnail((MAX_WIDTH, MAX_HEIGHT), Image.Resampling.LANCZOS)
    # A new image has the pixels only, without metadata.
    clean = Image.new("RGBA", picture.size)
    clean.paste(picture)
    buffer = io.BytesIO()
    clean.save(buffer, format="PNG", optimize=True)
    png = buffer.getvalue()
    return LogoImage(png, hashlib.sha256(png).hexdigest(), clean.width, clean.height)


def _decode(upload: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings(action="ignore"):
            picture = Image.open(io.BytesIO(upload), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise Invalid("logo.too_large", _TOO_MANY_PIXELS) from error
    # Decoders raise many errors for hostile bytes: OSError, SyntaxError, struct.error …
    except Exception as error:
        raise _unreadable_picture() from error
    # The size in the header, before a pixel is decoded.
    if picture.width * picture.height > MAX_PIXELS:
        raise Invalid("logo.too_large", _TOO_MANY_PIXELS, width=picture.width, height=picture.height)
    try:
        with warnings.catch_warnings(action="ignore"):
            return ImageOps.exif_transpose(picture).convert("RGBA")
    except Exception as error:
        raise _unreadable_picture() from error


def _unreadable_picture() -> Invalid:
    return Invalid("logo.refused", "A logo is a PNG, JPEG, WebP or GIF picture.")
