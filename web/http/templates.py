"""The templates of the pages, compiled once for each language."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kernel.language import Language

if TYPE_CHECKING:
    from web.http.assets import Assets

FOLDER: Final = Path(__file__).parent.parent / "templates"
CATALOGUES: Final = (FOLDER / "locale",)


class Templates:
    """Renders a named template of web/templates in a language."""

    def __init__(self, assets: Assets) -> None:
        """Take the built assets: templates print their URLs by `asset(name)`."""
        self._assets = assets
        # Jinja's i18n extension binds a catalogue to an environment, so each language has its own environment.
        self._get_environment = lru_cache(maxsize=64)(self._make_environment)

    def render(self, name: str, language: Language, page: Any) -> str:
        """Return the template's text with `page` filled in, everything in it escaped."""
        return self._get_environment(language).get_template(name).render(page=page)

    def _make_environment(self, language: Language) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.globals["asset"] = self._assets.url
        environment.install_gettext_callables(  # type: ignore[attr-defined]
            language.gettext, language.ngettext, newstyle=True, pgettext=language.pgettext
        )
        return environment


def mark_text(text: str) -> str:
    """Mark a text for the catalogues; it is translated where it is printed."""
    return text


def load_words(tag: str) -> Language:
    """Return the language of a locale with the words of the pages; Invalid("language.unknown")."""
    return Language.load(tag, CATALOGUES)
