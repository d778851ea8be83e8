"""Every mail of the product: its words in each language, its plain text, and what hostile texts can do in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import tenants
from kernel.colours import READABLE, compute_contrast
from kernel.mail.templates import DARK_GROUND, LIGHT_GROUND
from kernel.text import clean_line
from tenants.workspaces.profile import LogoRef
from tests.fakes.sample_mails import NAMES, build_invoice, build_sender, compose_sample
from tests.fakes.xss_vectors import VECTORS

TWINS = Path(__file__).parent.parent / "data" / "mail"
FOLDERS = {folder.parent.name: folder for folder in Path(tenants.__path__[0]).glob("*/mail")}
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
LOGO = LogoRef("0" * 64, 440, 80)
ARABIC = "عائشة حسن"
JAPANESE = "株式会社 田中"
#: Elements and attributes of the layout; what a text adds is not among them.
ELEMENTS = {
    "a", "bdi", "body", "br", "div", "h1", "head", "html", "img", "meta", "p", "span", "strong", "style", "table",
    "tbody", "td", "title", "tr",
}  # fmt: skip


class Outline(HTMLParser):
    """The elements, attributes, links and visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.handlers: set[str] = set()
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.text = ""
        self._hides = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.handlers |= {
            name for name, _ in attrs if name.startswith("on") or name in {"srcdoc", "formaction"}
        }
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "action"}]
        if tag == "img":
            self.images.append(dict(attrs))
        self._hides = tag in {"style", "title"}

    def handle_endtag(self, tag: str) -> None:
        self._hides = False

    def handle_data(self, data: str) -> None:
        self.text += "" if self._hides else data


def find_used_words(folder: Path) -> set[Any]:
    methods = [("**.jinja", "jinja2"), ("**.py", "python")]
    return {message for _, _, message, _, _ in extract_from_dir(folder, methods, {}, KEYWORDS)}


def read_catalogue(package: str, tag: str) -> Catalog:
    with (FOLDERS[package] / "locale" / tag / "LC_MESSAGES" / "mail.po").open("rb") as source:
        return read_po(source, abort_invalid=True)


def list_words(catalogue: Catalog) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield the forms of each word, in English and translated."""
    for each in catalogue:
        if each.id:
            meant = each.id if isinstance(each.id, (list, tuple)) else (each.id,)
            forms = each.string if isinstance(each.string, (list, tuple)) else (each.string,)
            yield tuple(meant), tuple(form or "" for form in forms)


@pytest.mark.parametrize("tag", ["en", "de"])
@pytest.mark.parametrize("package", FOLDERS)
def test_the_catalogue_has_every_word_of_the_mails_and_no_other(package: str, tag: str) -> None:
    catalogue = read_catalogue(package, tag)
    known = {meant if meant[1:] else next(iter(meant)) for meant, _ in list_words(catalogue)}
    assert known == find_used_words(FOLDERS[package])
    for meant, forms in list_words(catalogue):
        assert all(forms)
        # A singular leaves the number out.
        placeholders = [set(re.findall(r"%\(\w+\)s", form)) - {"%(count)s"} for form in (*meant, *forms)]
        assert all(each == placeholders[0] for each in placeholders)
        assert (tag == "en") <= (meant == forms)
        assert (tag == "de") <= (meant != forms)


@pytest.mark.parametrize("locale", ["en-US", "de-DE"])
@pytest.mark.parametrize("purpose", NAMES)
def test_the_plain_text_is_a_twin_of_the_page(purpose: str, locale: str) -> None:
    mail = compose_sample(
        purpose, locale, bodies=("Thank you!\n\nSee https://acme.example/a?b=1.", "One more.")
    )
    twin = TWINS / f"{purpose}.{locale[:2]}.txt"
    assert f"Subject: {mail.subject}\n\n{mail.text}" == twin.read_text(encoding="utf-8")


@pytest.mark.parametrize("purpose", NAMES)
def test_the_page_names_what_the_text_names(purpose: str) -> None:
    mail = compose_sample(purpose, sender=build_sender(logo=LOGO))
    outline = Outline(mail.html)
    for url in re.findall(r"https://\S+", mail.text):
        assert url in outline.links
    assert {url for url in outline.links if not url.startswith("https://acme.portal.example/")} == set()


@pytest.mark.parametrize("purpose", NAMES)
def test_without_pictures_the_logo_is_the_name(purpose: str) -> None:
    (logo,) = Outline(compose_sample(purpose, sender=build_sender(logo=LOGO)).html).images
    assert (logo["alt"], logo["width"], logo["height"]) == ("Acme Studio", "220", "40")
    assert Outline(compose_sample(purpose).html).images == []


@pytest.mark.parametrize("purpose", NAMES)
@pytest.mark.parametrize("words", [ARABIC, JAPANESE, "ü" * 200, "W" * 200])
def test_names_and_texts_in_any_script_are_shown(purpose: str, words: str) -> None:
    mail = compose_sample(
        purpose,
        "ja-JP",
        name=words,
        author=words,
        bodies=(words,),
        sender=build_sender(name=words),
        invoice=build_invoice(customer=words),
    )
    assert words in Outline(mail.html).text
    assert words in mail.text
    # No translation: all of it is English, and reads from left to right.
    assert '<html lang="en" dir="ltr">' in mail.html


@pytest.mark.parametrize("colour", ["#ffd43b", "#0b1f4b", "#ffffff", "#000000", "#888888"])
def test_any_brand_colour_is_readable_on_both_grounds(colour: str) -> None:
    accent = build_sender(colour=colour).brand.accent
    assert compute_contrast(accent.light, LIGHT_GROUND) >= READABLE
    assert compute_contrast(accent.dark, DARK_GROUND) >= READABLE
    assert compute_contrast(accent.light, accent.on_light) >= READABLE
    assert compute_contrast(accent.dark, accent.on_dark) >= READABLE


@pytest.mark.parametrize("purpose", NAMES)
def test_dark_mode_and_phones_keep_their_rules(purpose: str) -> None:
    html = compose_sample(purpose).html
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media (max-width: 480px)" in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert re.search(r'<h1 [^>]*style="[^"]*font-size', html)


@pytest.mark.parametrize("vector", VECTORS)
def test_a_hostile_text_is_text_in_every_mail(vector: str) -> None:
    # As it is stored.
    words = clean_line(vector)
    for purpose in NAMES:
        mail = compose_sample(
            purpose,
            name=words,
            author=words,
            bodies=(words, f"{words}\n{words}"),
            sender=build_sender(name=words, contact=words),
            invoice=build_invoice(number=words, customer=words),
        )
        outline = Outline(mail.html)
        assert outline.elements <= ELEMENTS
        assert outline.handlers == set()
        assert {url for url in outline.links if not url.startswith(("https://", "http://"))} == set()
        # The name of the workspace stands in each of them.
        assert words in outline.text
        assert words in mail.text


def test_whoever_writes_cannot_imitate_the_words_around_a_comment() -> None:
    mail = compose_sample("staff_comments", bodies=("Hello\n-- \nTo answer, run: rm -rf /",))
    assert "> Hello\n> -- \n> To answer, run: rm -rf /\n" in mail.text


def test_a_number_of_another_system_is_no_command() -> None:
    mail = compose_sample("staff_comments", invoice=build_invoice(number="7$(reboot)"))
    assert "portal thread reply '7$(reboot)' - --workspace acme --staff NAME" in mail.text
