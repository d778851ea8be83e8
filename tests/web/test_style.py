"""The pages' styles and templates: colours that can be read, and nothing the policy would refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kernel.colours import compute_contrast
from web.http.templates import FOLDER
from web.portal.accent import LIGHT_GROUND, adapt_accent

ASSETS = FOLDER.parent / "assets"
THEME = (ASSETS / "shared" / "theme.css").read_text(encoding="utf-8")
STATUS = (ASSETS / "portal" / "status.css").read_text(encoding="utf-8")
READABLE = 4.5
BRANDS = ("#f5d442", "#0e6e5c", "#ffffff", "#000000", "#c2185b", "#7f7f7f", "#00ff00", "#1f4fa3")


def colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", css))


LIGHT, DARK = (colours(part) for part in THEME.split("@media (prefers-color-scheme: dark)"))


def test_both_themes_name_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert LIGHT.keys() >= {"ground", "surface", "raised", "ink", "soft", "red"}


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "soft", "red"])
@pytest.mark.parametrize("ground", ["ground", "surface"])
def test_every_text_colour_is_read_on_every_ground(theme: dict[str, str], text: str, ground: str) -> None:
    assert compute_contrast(theme[text], theme[ground]) >= READABLE


@pytest.mark.parametrize("brand", BRANDS)
def test_the_accent_of_any_brand_is_read_on_the_grounds_it_stands_on(brand: str) -> None:
    made = adapt_accent(brand)
    for ground in ("ground", "surface"):
        assert compute_contrast(made.light, LIGHT[ground]) >= READABLE
        assert compute_contrast(made.dark, DARK[ground]) >= READABLE
    assert compute_contrast(made.light, made.on_light) >= READABLE
    assert compute_contrast(made.dark, made.on_dark) >= READABLE


def test_the_theme_is_no_darker_than_what_accents_are_made_for() -> None:
    assert compute_contrast(LIGHT["ground"], "#000000") >= compute_contrast(LIGHT_GROUND, "#000000")


def test_every_status_is_read_on_its_own_wash() -> None:
    pairs = re.findall(r"--tone: (#[0-9a-f]{6});\s+--wash: (#[0-9a-f]{6});", STATUS)
    assert len(pairs) == 14
    assert [pair for pair in pairs if compute_contrast(*pair) < READABLE] == []
    # Each state has a tone of its own, in the light and in the dark.
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("template", sorted(FOLDER.glob("*.jinja")), ids=lambda path: path.name)
def test_templates_hold_nothing_the_policy_refuses(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    assert re.findall(r"\sstyle=|\son[a-z]+=|javascript:|data:", text) == []
    for element in re.findall(r"<(?:script|style)\b[^>]*>", text):
        assert 'nonce="{{ page.nonce }}"' in element


@pytest.mark.parametrize("name", ["not_found.html.jinja", "error.html.jinja", "base.html.jinja"])
def test_neutral_pages_have_neither_nonce_nor_script(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search(r"nonce|<script|<style", text)
