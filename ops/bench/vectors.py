"""Markup by which a document may try to reach the network or a file, and a target that records it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pypdfium2
from PIL import Image

CANARY: Final = "CANARY-7f3a91"
HTTP_VECTORS: Final = {
    "img": '<img src="{url}">',
    "srcset": '<img srcset="{url} 2x, {url} 1x">',
    "picture": '<picture><source srcset="{url}"><img></picture>',
    "stylesheet": '<link rel="stylesheet" href="{url}">',
    "import": '<style>@import url("{url}");</style>',
    "background": '<p style="background:url({url})">x</p>',
    "font": '<style>@font-face{{font-family:f;src:url({url})}}</style><p style="font-family:f">x</p>',
    "generated": '<style>.g::before{{content:url({url})}}</style><p class="g">x</p>',
    "list": '<ul style="list-style-image:url({url})"><li>x</ul>',
    "iframe": '<iframe src="{url}"></iframe>',
    "srcdoc": "<iframe srcdoc='<img src=\"{url}\">'></iframe>",
    "object": '<object data="{url}"></object>',
    "embed": '<embed src="{url}">',
    "video": '<video src="{url}" poster="{url}" autoplay></video>',
    "preload": '<link rel="preload" as="image" href="{url}"><link rel="prefetch" href="{url}">',
    "refresh": '<meta http-equiv="refresh" content="0;url={url}">',
    "base": '<base href="{url}/"><img src="relative.png">',
    "script": '<script src="{url}"></script>',
    "beacon": "<script>navigator.sendBeacon('{url}');fetch('{url}');new WebSocket('{socket}')</script>",
    "svg": '<svg><image href="{url}" width="9" height="9"/></svg>',
}
FILE_VECTORS: Final = {
    "file iframe": '<iframe src="{file}" width="400" height="200"></iframe>',
    "file img": '<img src="{image}" width="50" height="50">',
    "file object": '<object data="{file}" width="400" height="200"></object>',
    "file import": '<style>@import url("{file}");</style>',
    "file refresh": '<meta http-equiv="refresh" content="0;url={file}">',
    "file background": '<p style="background:url({image});width:99px;height:99px">x</p>',
}
VECTORS: Final = HTTP_VECTORS | FILE_VECTORS
_RED_THRESHOLDS: Final = (240, 30)


@dataclass
class Target:
    """A server that records every connection, and files that must not be read."""

    port: int
    folder: Path
    connections: list[str] = field(default_factory=list)

    def build_markup(self, vector: str) -> str:
        """Return the markup of a vector for this target."""
        return VECTORS[vector].format(
            url=f"http://127.0.0.1:{self.port}/{vector.replace(' ', '-')}",
            socket=f"ws://127.0.0.1:{self.port}/{vector}",
            file=(self.folder / "secret.html").as_uri(),
            image=(self.folder / "secret.png").as_uri(),
        )


@asynccontextmanager
async def open_target(folder: Path) -> AsyncIterator[Target]:
    """Open a server on loopback, and write a page and a red image into a folder."""
    (folder / "secret.html").write_text(f"<h1>{CANARY}</h1><style>body::after{{content:'{CANARY}'}}</style>")
    image_file = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(image_file, format="PNG")
    (folder / "secret.png").write_bytes(image_file.getvalue())
    target: Target

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        target.connections.append(line.decode("latin-1").strip())
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(record, "127.0.0.1", 0)
    target = Target(server.sockets[0].getsockname()[1], folder)
    async with server:
        yield target


def build_page(markup: str) -> str:
    """Return a page with unescaped markup and without a content security policy."""
    return f"<!DOCTYPE html><html><head><title>Vector</title></head><body><p>Paper</p>{markup}</body></html>"


def read_pdf(pdf: bytes) -> tuple[str, bool]:
    """Return the text of a PDF, and whether it has the text of the file or the red of the image."""
    with pypdfium2.PdfDocument(pdf) as opened:
        text = "".join(page.get_textpage().get_text_range() for page in opened)
        colours = [page.render(scale=1).to_pil().convert("RGB").getcolors(1 << 20) for page in opened]
    least, most = _RED_THRESHOLDS
    is_red = any(r > least and g + b < most for each in colours for _, (r, g, b) in each)
    return text, CANARY in text or is_red
