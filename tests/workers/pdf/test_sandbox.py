"""Nothing in a document reaches the network or a file, whichever way it got in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from playwright.async_api import async_playwright

from kernel.ids import WorkspaceId, new_id
from kernel.telemetry.metrics import Metrics
from ops.bench import vectors
from ops.bench.vectors import CANARY, HTTP_VECTORS, VECTORS, Target, build_page, read_pdf
from ops.dev.chromium import build_launch_arguments, find_chromium
from tenants.invoices.content import Content
from tenants.invoices.document.pdf_html import render_pdf_html
from tenants.invoices.document.values import DocumentLogo
from tenants.invoices.ubl import parse
from tests.fakes.documents import build_document, load_fonts
from tests.fakes.sample_workspaces import build_content
from workers.pdf.renderer import Renderer

COLOUR = "rgb(255 0 0)"
UBL = Path(__file__).parents[2] / "data" / "ubl" / "01.01a-INVOICE_ubl.xml"


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    """A server and files that no document may reach."""
    async with vectors.open_target(tmp_path) as opened:
        yield opened


def keep_letters(text: str) -> str:
    """Return the letters and digits of a text, without the spaces and hyphens of its layout."""
    return "".join(c for c in text if c.isascii() and c.isalnum())


async def find_leaks(renderer: Renderer, html: str, target: Target) -> tuple[list[str], bool]:
    """Return the connections a document made, and whether a secret file is in the PDF."""
    raw = await renderer.render(html, owner=None, within_s=20)
    # Connections that a render starts may arrive a moment later.
    await asyncio.sleep(0.05)
    return target.connections, read_pdf(raw)[1]


def test_there_are_twenty_six_vectors() -> None:
    assert len(VECTORS) == 26


@pytest.mark.parametrize("vector", VECTORS)
async def test_nothing_is_reached_even_by_markup_without_a_policy(
    renderer: Renderer, target: Target, vector: str
) -> None:
    assert await find_leaks(renderer, build_page(target.build_markup(vector)), target) == ([], False)


@pytest.mark.parametrize("vector", VECTORS)
async def test_texts_of_an_invoice_are_rendered_and_reach_nothing(
    renderer: Renderer, target: Target, vector: str
) -> None:
    markup = target.build_markup(vector)
    html = render_pdf_html(build_document(build_hostile_content(markup)), load_fonts())
    raw = await renderer.render(html, owner=None, within_s=20)
    await asyncio.sleep(0.05)
    text, is_leaked = read_pdf(raw)
    assert (target.connections, is_leaked) == ([], False)
    # The markup is shown as text: in the note, the line, the seller and the buyer.
    assert keep_letters(text).count(keep_letters(markup)) >= 4


async def test_hostile_texts_of_an_imported_document_reach_nothing(
    renderer: Renderer, target: Target
) -> None:
    source = UBL.read_text(encoding="utf-8")
    for vector in VECTORS:
        markup = target.build_markup(vector).replace("&", "&amp;").replace("<", "&lt;")
        note = "<cbc:DocumentCurrencyCode"
        hostile_xml = source.replace(note, f"<cbc:Note>{markup}</cbc:Note>{note}", 1)
        parsed = parse(hostile_xml.encode())
        assert target.build_markup(vector).split()[0] in " ".join(parsed.content.notes)
        assert await find_leaks(
            renderer, render_pdf_html(build_document(parsed.content), load_fonts()), target
        ) == ([], False)


async def test_a_logos_address_is_never_asked(renderer: Renderer, target: Target) -> None:
    for url in (f"http://127.0.0.1:{target.port}/logo.png", (target.folder / "secret.png").as_uri()):
        html = render_pdf_html(build_document(build_content(), logo=DocumentLogo(url, 40, 20)), load_fonts())
        assert await find_leaks(renderer, html, target) == ([], False)


async def test_an_ordinary_browser_reaches_the_target_by_every_vector(target: Target) -> None:
    """The control: without the sandbox the same documents reach the server and read the files."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=build_launch_arguments()
        )
        reached: set[str] = set()
        for vector in HTTP_VECTORS:
            page = await browser.new_page()
            await page.set_content(build_page(target.build_markup(vector)))
            for _ in range(40):
                if target.connections:
                    break
                await asyncio.sleep(0.05)
            reached |= {vector} if target.connections else set()
            target.connections.clear()
            await page.close()
        page = await browser.new_page()
        (target.folder / "page.html").write_text(
            build_page(target.build_markup("file iframe") + target.build_markup("file img"))
        )
        await page.goto((target.folder / "page.html").as_uri())
        pdf = await page.pdf(print_background=True)
        await page.set_content(build_page(f'<p style="background:{COLOUR};height:9px">x</p>'))
        red = await page.pdf(print_background=True)
        await browser.close()
    assert reached == set(HTTP_VECTORS)
    assert (CANARY in read_pdf(pdf)[0], read_pdf(red)[1]) == (True, True)


async def test_a_workspace_never_gets_a_page_that_another_one_used(renderer: Renderer) -> None:
    ours, theirs = WorkspaceId(new_id()), WorkspaceId(new_id())
    small = Renderer(Metrics())
    await small.start()
    contexts: dict[object, set[object]] = {}
    for owner in (ours, theirs, None, ours, theirs, None, ours):
        await small.render("<!DOCTYPE html><p>x", owner=owner, within_s=20)
        for page in small._idle_pages:
            contexts.setdefault(page.context, set()).add(page.owner)
    await small.close()
    assert sorted(map(len, contexts.values())) == [1, 1]
    assert set().union(*contexts.values()) == {ours, theirs}


def build_hostile_content(markup: str) -> Content:
    """Return an invoice with the markup in every text that a sender can write."""
    plain = build_content(buyer=markup)
    line = msgspec.structs.replace(plain.lines[0], name=markup, description=markup)
    seller = msgspec.structs.replace(plain.seller, name=markup, legal_note=markup)
    return msgspec.structs.replace(plain, seller=seller, lines=(line,), notes=(markup,), payment_terms=markup)
