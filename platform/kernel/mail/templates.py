"""Renders mails: one layout for all, the brand of a workspace, HTML with styles inlined, and plain text."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from css_inline import CSSInliner
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from kernel.colours import BLACK, WHITE, choose_text_colour, mix_until_readable
from kernel.language import Language

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER: Final = Path(__file__).parent
# The grounds of layout.html.jinja below the accent.
LIGHT_GROUND: Final = "#ffffff"
DARK_GROUND: Final = "#1b1e24"

# Rules for narrow screens and dark mode cannot be inlined: they stay in a style element.
_INLINER: Final = CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)


@dataclass(frozen=True, slots=True)
class MailLogo:
    """The URL of a logo, and its size in CSS pixels."""

    url: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class MailAccent:
    """A brand's colour as it is readable on the light and on the dark mail, and the text on it."""

    light: str
    on_light: str
    dark: str
    on_dark: str


@dataclass(frozen=True, slots=True)
class MailBrand:
    """A workspace as its mails show it."""

    name: str
    url: str
    accent: MailAccent
    logo: MailLogo | None = None
    contact_line: str = ""


@dataclass(frozen=True, slots=True)
class MailBody:
    """The two alternatives of a mail."""

    html: str
    text: str


class MailTemplates:
    """The mails of one package: <name>.html.jinja and <name>.txt.jinja beside a folder `locale`."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; templates extend layout.html.jinja and layout.txt.jinja of this package."""
        self._folder = folder
        # Jinja's i18n extension binds a catalogue to an environment, so each language has its own environment.
        self._get_environment = lru_cache(maxsize=64)(self._make_environment)

    def load_language(self, tag: str) -> Language:
        """Return the language of a locale with the words of these mails; Invalid("language.unknown").

        English where there is no translation, dates and direction included.
        """
        catalogues = (self._folder / "locale",)
        language = Language.load(tag, catalogues)
        if language.tag.partition("-")[0] == language.message_tag.partition("-")[0]:
            return language
        return Language.load(f"{language.message_tag.partition('-')[0]}-{language.territory}", catalogues)

    def render(
        self, name: str, language: Language, brand: MailBrand, values: Mapping[str, object]
    ) -> MailBody:
        """Return a mail in a language; everything in its HTML is escaped. Takes some milliseconds."""
        environment = self._get_environment(language)
        context = {**values, "brand": brand, "language": language}
        html = environment.get_template(f"{name}.html.jinja").render(context)
        text = environment.get_template(f"{name}.txt.jinja").render(context)
        return MailBody(_INLINER.inline(html), text.strip() + "\n")

    def _make_environment(self, language: Language) -> Environment:
        environment = Environment(
            loader=FileSystemLoader([self._folder, FOLDER]),
            autoescape=select_autoescape(enabled_extensions=("html.jinja",), default_for_string=True),
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_callables(  # type: ignore[attr-defined]
            language.gettext, language.ngettext, newstyle=True, pgettext=language.pgettext
        )
        return environment


@lru_cache(maxsize=1024)
def adapt_brand_colour(colour: str) -> MailAccent:
    """Return `colour` ("#rrggbb") mixed until it is readable on both grounds."""
    light = mix_until_readable(colour, LIGHT_GROUND, BLACK)
    dark = mix_until_readable(colour, DARK_GROUND, WHITE)
    return MailAccent(light, choose_text_colour(light), dark, choose_text_colour(dark))
