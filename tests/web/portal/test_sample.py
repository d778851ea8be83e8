"""The sample: every language is rendered before the first customer comes."""

from typing import Any

from kernel.language import Language
from web.http.negotiation import LANGUAGES
from web.portal.sample import LOCALES, warm


def test_every_language_of_the_pages_has_a_sample() -> None:
    assert {Language.load(tag).tag.split("-")[0] for tag in LOCALES} == set(LANGUAGES)


def test_the_sample_is_rendered_and_not_cached(portal: Any) -> None:
    pages = portal.dependency("pages")
    warm(pages)
    assert portal.count("portal_document_render_seconds_count") == len(LOCALES)
    assert pages._sections._cache.size == 0
