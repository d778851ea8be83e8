"""Logos: every byte that comes out is ours, and hostile bytes do not come in."""

from __future__ import annotations

import io
import random
import struct
import zlib
from hashlib import sha256

import pytest
from PIL import Image

from kernel.errors import Invalid
from tenants.workspaces.logo import reencode

MARK = b"<script>alert(1)</script>"


def encode_image(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def decode_image(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png), formats=["PNG"])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_every_common_format_becomes_a_png(kind: str) -> None:
    logo = reencode(encode_image(Image.new("RGB", (64, 32), (200, 30, 30)), kind))
    again = decode_image(logo.png)
    assert (again.format, again.size, logo.width, logo.height) == ("PNG", (64, 32), 64, 32)
    assert logo.sha256 == sha256(logo.png).hexdigest()


def test_the_same_picture_has_the_same_name() -> None:
    upload = encode_image(Image.new("RGBA", (8, 8), (1, 2, 3, 4)), "PNG")
    assert reencode(upload) == reencode(upload)


def test_transparency_is_kept() -> None:
    logo = reencode(encode_image(Image.new("RGBA", (4, 4), (10, 20, 30, 0)), "PNG"))
    assert decode_image(logo.png).convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_a_large_picture_is_made_small_in_proportion() -> None:
    logo = reencode(encode_image(Image.new("RGB", (3000, 1000), "white"), "PNG"))
    assert (logo.width, logo.height) == (960, 320)


def test_what_hides_in_metadata_and_behind_the_picture_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010E] = MARK.decode()
    upload = encode_image(Image.new("RGB", (9, 9)), "JPEG", exif=exif, comment=MARK) + MARK
    assert upload.count(MARK) == 3
    assert MARK not in reencode(upload).png


def test_a_turned_photograph_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    logo = reencode(encode_image(Image.new("RGB", (30, 10)), "JPEG", exif=exif))
    assert (logo.width, logo.height) == (10, 30)


def build_bomb(width: int, height: int) -> bytes:
    """Return a PNG of some hundred bytes whose header promises a huge picture."""

    def build_chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + build_chunk(b"IHDR", header)
        + build_chunk(b"IDAT", zlib.compress(b""))
        + build_chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(50_000, 50_000), (16_000_001, 1), (4001, 4000)])
def test_a_decompression_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    with pytest.raises(Invalid) as caught:
        reencode(build_bomb(width, height))
    # Pillow itself refuses the largest, before we see its size.
    assert caught.value.code in {"logo.too_large", "logo.refused"}


def test_more_than_two_mebibytes_are_not_looked_at() -> None:
    with pytest.raises(Invalid) as caught:
        reencode(b"\x89PNG\r\n\x1a\n" + bytes(2 * 1024 * 1024))
    assert caught.value.code == "logo.too_large"


@pytest.mark.parametrize(
    "upload",
    [
        b"",
        b"GIF89a",
        MARK,
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"BM" + bytes(60),
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"%PDF-1.7\n",
    ],
)
def test_what_is_no_picture_of_a_known_kind_is_refused(upload: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        reencode(upload)
    assert caught.value.code == "logo.refused"


def test_damaged_pictures_are_read_or_refused_but_never_crash() -> None:
    dice = random.Random(7)
    sources = [
        encode_image(Image.effect_noise((24, 24), 90).convert("RGB"), kind)
        for kind in ("PNG", "JPEG", "WEBP", "GIF")
    ]
    outcomes = {"read": 0, "refused": 0}
    for source in sources:
        for _ in range(60):
            damaged = bytearray(source)
            for _ in range(dice.randint(1, 8)):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            try:
                logo = reencode(bytes(damaged[: dice.randint(len(damaged) // 2, len(damaged))]))
            except Invalid:
                outcomes["refused"] += 1
            else:
                assert decode_image(logo.png).size == (logo.width, logo.height)
                outcomes["read"] += 1
    assert sum(outcomes.values()) == 240
    assert outcomes["refused"] > 0
