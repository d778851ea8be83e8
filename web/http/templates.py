"""The templates of the pages, compiled once and filled in each language."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined

from kernel.language import Language

if TYPE_CHECKING:
    from types import CodeType

    from jinja2.bccache import Bucket

    from web.http.assets import Assets

FOLDER: Final = Path(__file__).parent.parent / "templates"
CATALOGUES: Final = (FOLDER / "locale",)


class CodeCache(BytecodeCache):
    """Keeps the code of compiled templates in memory, for all environments of this process.

    Code names its catalogue's functions but does not contain them, so the languages can share it: a template is
    compiled (some 40 ms) once, not by the first visitor of each language.
    """

    def __init__(self) -> None:
        """Begin without code."""
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the bucket the code of its template's text, if it has been compiled."""
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a bucket."""
        if bucket.code is not None:
            self._codes[bucket.key, bucket.checksum] = bucket.code


_CODE_CACHE: Final = CodeCache()


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
            bytecode_cache=_CODE_CACHE,
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
