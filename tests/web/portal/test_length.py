"""Which pages are rendered in a thread, so that nobody else waits for them."""

from __future__ import annotations

import msgspec
import pytest

from tests.fakes.sample_workspaces import build_content
from web.portal.page_sections import takes_long


@pytest.mark.parametrize(
    ("lines", "note", "expected"),
    [(1, "", False), (100, "", False), (101, "", True), (1, "x" * 38_000, False), (1, "x" * 41_000, True)],
)
def test_long_is_what_has_many_lines_or_many_words(lines: int, note: str, *, expected: bool) -> None:
    made = build_content()
    long = msgspec.structs.replace(made, lines=made.lines * lines, notes=(note,))
    assert takes_long(long) is expected
