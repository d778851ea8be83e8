"""Nothing in a document reaches the network or a file, whichever way it got in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pypdfium2
import pytest
from playwright.async_api import async_playwright

from kernel.ids import WorkspaceId, new_id
from kernel.telemetry.metrics import Metrics
from ops import browser as programs
from tenants.invoices.content import Content
from tenants.invoices.document.sheet import render_sheet
from tenants.invoices.document.values import DocumentLogo
from tenants.invoices.ubl import parse
from tests.fakes.businesses import content, picture
from tests.fakes.papers import drawn, fonts
from workers.press.press import Press

CANARY = "CANARY-7f3a91"
COLOUR = "rgb(255 0 0)"
UBL = Path(__file__).parents[2] / "data" / "ubl" / "01.01a-INVOICE_ubl.xml"
HTTP = {
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
FILES = {
    "file iframe": '<iframe src="{file}" width="400" height="200"></iframe>',
    "file img": '<img src="{image}" width="50" height="50">',
    "file object": '<object data="{file}" width="400" height="200"></object>',
    "file import": '<style>@import url("{file}");</style>',
    "file refresh": '<meta http-equiv="refresh" content="0;url={file}">',
    "file background": '<p style="background:url({image});width:99px;height:99px">x</p>',
}
VECTORS = HTTP | FILES


@dataclass
class Trap:
    """A server that notes every connection, and files that nobody is to read."""

    port: int
    folder: Path
    connections: list[str] = field(default_factory=list)

    def bait(self, vector: str) -> str:
        return VECTORS[vector].format(
            url=f"http://127.0.0.1:{self.port}/{vector.replace(' ', '-')}",
            socket=f"ws://127.0.0.1:{self.port}/{vector}",
            file=(self.folder / "secret.html").as_uri(),
            image=(self.folder / "secret.png").as_uri(),
        )


@pytest.fixture
async def trap(tmp_path: Path) -> AsyncIterator[Trap]:
    (tmp_path / "secret.html").write_text(
        f"<h1>{CANARY}</h1><style>body::after{{content:'{CANARY}'}}</style>"
    )
    (tmp_path / "secret.png").write_bytes(picture())
    made: Trap

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        made.connections.append(line.decode("latin-1").strip())
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    made = Trap(server.sockets[0].getsockname()[1], tmp_path)
    async with server:
        yield made


def bare(bait: str) -> str:
    """The bait as though nobody had escaped anything and there were no policy."""
    return f"<!DOCTYPE html><html><head><title>Bait</title></head><body><p>Paper</p>{bait}</body></html>"


def read(pdf: bytes) -> tuple[str, bool]:
    """Return the text of a PDF, and whether a secret was printed: its word, or the red of its picture."""
    with pypdfium2.PdfDocument(pdf) as opened:
        text = "".join(page.get_textpage().get_text_range() for page in opened)
        colours = [page.render(scale=1).to_pil().convert("RGB").getcolors(1 << 20) for page in opened]
    is_red = any(red > 240 and green + blue < 30 for each in colours for _, (red, green, blue) in each)
    return text, CANARY in text or is_red


def letters(text: str) -> str:
    """Return a text without what lines and pages do to it."""
    return "".join(c for c in text if c.isascii() and c.isalnum())


async def reached(press: Press, html: str, trap: Trap) -> tuple[list[str], bool]:
    """Return the connections a document made, and whether a secret file was printed."""
    raw = await press.print(html, owner=None, within_s=20)
    # What a document starts while it is printed may arrive a moment later.
    await asyncio.sleep(0.05)
    return trap.connections, read(raw)[1]


def test_there_are_twenty_six_vectors() -> None:
    assert len(VECTORS) == 26


@pytest.mark.parametrize("vector", VECTORS)
async def test_nothing_is_reached_even_by_markup_without_a_policy(
    press: Press, trap: Trap, vector: str
) -> None:
    assert await reached(press, bare(trap.bait(vector)), trap) == ([], False)


@pytest.mark.parametrize("vector", VECTORS)
async def test_texts_of_an_invoice_are_printed_and_reach_nothing(
    press: Press, trap: Trap, vector: str
) -> None:
    bait = trap.bait(vector)
    html = render_sheet(drawn(hostile(bait)), fonts())
    raw = await press.print(html, owner=None, within_s=20)
    await asyncio.sleep(0.05)
    text, is_leaked = read(raw)
    assert (trap.connections, is_leaked) == ([], False)
    # The words stand on the paper as words: in the note, the line, the seller and the buyer.
    assert letters(text).count(letters(bait)) >= 4


async def test_hostile_texts_of_an_imported_document_reach_nothing(press: Press, trap: Trap) -> None:
    source = UBL.read_text(encoding="utf-8")
    for vector in VECTORS:
        bait = trap.bait(vector).replace("&", "&amp;").replace("<", "&lt;")
        note = "<cbc:DocumentCurrencyCode"
        hostile_xml = source.replace(note, f"<cbc:Note>{bait}</cbc:Note>{note}", 1)
        parsed = parse(hostile_xml.encode())
        assert trap.bait(vector).split()[0] in " ".join(parsed.content.notes)
        assert await reached(press, render_sheet(drawn(parsed.content), fonts()), trap) == ([], False)


async def test_a_logos_address_is_never_asked(press: Press, trap: Trap) -> None:
    for url in (f"http://127.0.0.1:{trap.port}/logo.png", (trap.folder / "secret.png").as_uri()):
        html = render_sheet(drawn(content(), logo=DocumentLogo(url, 40, 20)), fonts())
        assert await reached(press, html, trap) == ([], False)


async def test_an_ordinary_browser_falls_into_the_trap(trap: Trap) -> None:
    """The control: without the press's walls these very documents reach the server and read the files."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=programs.executable(), args=programs.arguments()
        )
        fallen: set[str] = set()
        for vector in HTTP:
            page = await browser.new_page()
            await page.set_content(bare(trap.bait(vector)))
            for _ in range(40):
                if trap.connections:
                    break
                await asyncio.sleep(0.05)
            fallen |= {vector} if trap.connections else set()
            trap.connections.clear()
            await page.close()
        page = await browser.new_page()
        (trap.folder / "page.html").write_text(bare(trap.bait("file iframe") + trap.bait("file img")))
        await page.goto((trap.folder / "page.html").as_uri())
        printed = await page.pdf(print_background=True)
        await page.set_content(bare(f'<p style="background:{COLOUR};height:9px">x</p>'))
        red = await page.pdf(print_background=True)
        await browser.close()
    assert fallen == set(HTTP)
    assert (CANARY in read(printed)[0], read(red)[1]) == (True, True)


async def test_a_workspace_never_gets_a_page_that_another_one_used(press: Press) -> None:
    ours, theirs = WorkspaceId(new_id()), WorkspaceId(new_id())
    small = Press(Metrics())
    await small.start()
    contexts: dict[object, set[object]] = {}
    for owner in (ours, theirs, None, ours, theirs, None, ours):
        await small.print("<!DOCTYPE html><p>x", owner=owner, within_s=20)
        for slot in small._idle:
            contexts.setdefault(slot.context, set()).add(slot.owner)
    await small.close()
    assert sorted(map(len, contexts.values())) == [1, 1]
    assert set().union(*contexts.values()) == {ours, theirs}


def hostile(bait: str) -> Content:
    """An invoice with bait in every text that a sender can write."""
    plain = content(buyer=bait)
    line = msgspec.structs.replace(plain.lines[0], name=bait, description=bait)
    seller = msgspec.structs.replace(plain.seller, name=bait, legal_note=bait)
    return msgspec.structs.replace(plain, seller=seller, lines=(line,), notes=(bait,), payment_terms=bait)
