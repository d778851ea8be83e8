"""What a visitor's device must fetch of ours before it can read: 60 kB at most, compressed (look.md)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec
from playwright.async_api import expect

from tests.journeys.conftest import OpenPage, PdfProcesses
from web.http.assets import BUILT, Assets

# look.md: "at most 60 kB of our own compressed JavaScript and CSS".
BUDGET = 60_000
SOURCES = ("portal/page.ts", "portal/page.css", "shared/document.css", "shared/neutral.css")
#: Of pages that the invoice's page does not lead through.
OTHER_PAGES = ("portal/account.css",)
SCRIPTS = {".js", ".mjs", ".css"}


def list_viewer_files() -> set[str]:
    """Return the files that are fetched when a PDF is opened: what the viewer imports, and the worker of pdf.js."""
    manifest = msgspec.json.decode((BUILT / ".vite" / "manifest.json").read_bytes())
    viewer = manifest["portal/pdf/viewer.ts"]
    return {
        viewer["file"],
        *(manifest[name]["file"] for name in viewer.get("imports", ()) if name != "portal/page.ts"),
        *viewer.get("assets", ()),
        *(asset for name in viewer.get("imports", ()) for asset in manifest[name].get("assets", ())),
    }


async def test_scripts_and_styles_of_the_page_stay_within_the_budget() -> None:
    assets = Assets.load()
    found = [await assets.find(assets.url(name).removeprefix("/assets/")) for name in SOURCES]
    compressed = [len(each.brotli or each.body) for each in found]
    assert len(compressed) == len(SOURCES)
    assert 0 < sum(compressed) <= BUDGET


def test_no_script_or_style_is_built_that_the_budget_does_not_count() -> None:
    counted = {Assets.load().url(name).removeprefix("/assets/") for name in SOURCES + OTHER_PAGES}
    built = {path.name for path in BUILT.iterdir() if path.suffix in SCRIPTS}
    assert built == counted | list_viewer_files()
    assert len(list_viewer_files()) == 3


async def test_what_shows_pdfs_is_fetched_when_one_is_opened_and_from_nowhere_else(
    open_page: OpenPage, pdf_processes: PdfProcesses
) -> None:
    page = await open_page("due")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    await page.reload(wait_until="networkidle")
    names = {url.rsplit("/", 1)[-1] for url in requests}
    assert names >= {Assets.load().url("portal/page.ts").removeprefix("/assets/")}
    assert not names & list_viewer_files()
    requests.clear()
    await page.get_by_role("radio", name="PDF").click()
    await expect(page.locator(".viewer")).to_have_attribute(
        "data-state", "shown", timeout=pdf_processes.timeout_ms
    )
    assert {url.rsplit("/", 1)[-1] for url in requests} >= list_viewer_files()
    assert {urlsplit(url).netloc for url in requests} == {urlsplit(page.url).netloc}


def test_styles_and_scripts_name_no_other_host_and_inline_nothing() -> None:
    for path in BUILT.iterdir():
        # pdf.js names what it knows of XML by addresses; that it fetches none is tested above.
        if path.suffix in {".js", ".css"} and not path.name.startswith("pdf"):
            text = path.read_text(encoding="utf-8")
            assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}|data:[a-z]+/", text) == []
