"""The sample: every language is ready before the first customer comes."""

from typing import Any

from kernel.language import Language
from web.http.errors import SPOKEN
from web.portal.sample import LOCALES, warm


def test_every_language_of_the_pages_is_made_ready() -> None:
    assert {Language.load(tag).tag.split("-")[0] for tag in LOCALES} == set(SPOKEN)


def test_the_sample_is_rendered_and_not_kept(portal: Any) -> None:
    warm(portal.gateway.house.invoices)
    assert portal.count("portal_document_render_seconds_count") == len(LOCALES)
    assert portal.gateway.house.invoices._kept.size == 0
