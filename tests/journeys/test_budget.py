"""What a visitor's device must fetch of ours before it can read: 60 kB at most, compressed (look.md)."""

from __future__ import annotations

import re

from web.gateway.assets import BUILT, Assets

# look.md: "at most 60 kB of our own compressed JavaScript and CSS".
BUDGET = 60_000
SOURCES = ("page.ts", "page.css", "document.css", "neutral.css")


def test_scripts_and_styles_of_the_page_stay_within_the_budget() -> None:
    assets = Assets.load()
    found = [assets.find(assets.url(name).removeprefix("/assets/")) for name in SOURCES]
    compressed = [len(each.brotli or each.body) for each in found if each]
    assert len(compressed) == len(SOURCES)
    assert 0 < sum(compressed) <= BUDGET


def test_no_script_or_style_is_built_that_the_budget_does_not_count() -> None:
    counted = {Assets.load().url(name).removeprefix("/assets/") for name in SOURCES}
    assert {path.name for path in BUILT.iterdir() if path.suffix in {".js", ".css"}} == counted


def test_styles_and_scripts_name_no_other_host_and_inline_nothing() -> None:
    for path in BUILT.iterdir():
        if path.suffix in {".js", ".css"}:
            text = path.read_text(encoding="utf-8")
            assert re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}|data:[a-z]+/", text) == []
