"""Pages from cached sections and slots: one gzip member, in which a slot shows nothing but its length."""

from __future__ import annotations

import gzip
import secrets
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.http.sections import Section, join_gzipped, join_plain, mark_slot

NAMES = ("nonce", "form_token", "visitor")
# Postgres' text holds no NUL, which is why NUL marks the slots.
TEXT = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=400)
TEMPLATE = st.lists(TEXT | st.sampled_from(NAMES).map(mark_slot), max_size=12).map("".join)
SLOTS = st.fixed_dictionaries({name: st.binary(max_size=300) for name in NAMES})
ROW = "<tr><td>Consulting</td><td>100.00</td></tr>"


@given(st.lists(TEMPLATE, max_size=4), SLOTS)
def test_the_gzipped_page_is_the_plain_page(templates: list[str], slots: dict[str, bytes]) -> None:
    sections = [Section.split(template) for template in templates]
    plain = b"".join(join_plain(sections, slots))
    assert gzip.decompress(b"".join(join_gzipped(sections, slots))) == plain
    expected = "".join(templates).encode()
    for name, value in slots.items():
        expected = expected.replace(mark_slot(name).encode(), value)
    # A value that looks like a slot stays as it is: only templates have slots.
    if not any(b"\0" in value for value in slots.values()):
        assert plain == expected


@given(TEMPLATE, TEMPLATE, SLOTS)
def test_sections_are_joined_in_any_order(first: str, second: str, slots: dict[str, bytes]) -> None:
    sections = [Section.split(template) for template in (first, second)]
    for ordered in (sections, sections[::-1], sections * 2):
        page = b"".join(join_gzipped(ordered, slots))
        assert gzip.decompress(page) == b"".join(join_plain(ordered, slots))


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_a_slot_of_any_size_is_stored(size: int) -> None:
    section, value = Section.split(f"<p>{mark_slot('visitor')}</p>"), secrets.token_bytes(size)
    page = gzip.decompress(b"".join(join_gzipped([section], {"visitor": value})))
    assert page == b"<p>" + value + b"</p>"


def test_a_value_in_a_slot_is_not_read_as_a_slot() -> None:
    section, value = Section.split(f"<p>{mark_slot('visitor')}</p>"), mark_slot("nonce").encode()
    assert b"".join(join_plain([section], {"visitor": value, "nonce": b"n"})) == b"<p>" + value + b"</p>"


def test_a_slot_without_a_value_is_a_mistake_of_ours() -> None:
    section = Section.split(f"<p>{mark_slot('visitor')}</p>")
    for join in (join_plain, join_gzipped):
        with pytest.raises(KeyError, match="visitor"):
            join([section], {"nonce": b"n"})


def test_a_page_of_no_sections_is_empty() -> None:
    assert gzip.decompress(b"".join(join_gzipped([], {}))) == b""


def test_one_gzip_member_holds_the_whole_page() -> None:
    sections = [Section.split(f"{ROW}{mark_slot('visitor')}{ROW}")] * 3
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    page = reader.decompress(b"".join(join_gzipped(sections, {"visitor": b"Kunde AG"})))
    assert page == (ROW.encode() + b"Kunde AG" + ROW.encode()) * 3
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_a_large_section_survives_and_shrinks() -> None:
    section, slots = Section.split(f"<head nonce={mark_slot('nonce')}>" + ROW * 5000), {"nonce": b"x"}
    page = b"".join(join_gzipped([section], slots))
    body = b"<head nonce=x>" + ROW.encode() * 5000
    assert gzip.decompress(page) == body
    assert len(page) < len(body) // 50


def test_a_section_knows_how_much_memory_it_holds() -> None:
    small, large = Section.split(ROW), Section.split(ROW * 5000)
    assert small.size >= len(ROW)
    assert large.size >= 5000 * len(ROW)


def test_the_size_of_a_page_does_not_tell_whether_a_slot_repeats_its_text() -> None:
    """BREACH: beside what an attacker may write, a secret in a slot must not compress any better when it is guessed."""
    secret = "Annegret Kowalczyk-Hohenstein, 14 Lindenallee"
    section = Section.split(f"<p>You searched for {secret}</p>{mark_slot('visitor')}<p>{secret}</p>")
    values = [
        secret.encode(),
        secrets.token_bytes(len(secret)),
        b"x" * len(secret),
        secret[::-1].encode(),
        (secret[:20] + secret[:25]).encode(),
    ]
    sizes = {len(b"".join(join_gzipped([section], {"visitor": value}))) for value in values}
    assert len(sizes) == 1


def test_the_size_of_a_page_does_not_tell_whether_two_slots_are_alike() -> None:
    section = Section.split(f"<p>{mark_slot('visitor')}</p><p>{mark_slot('form_token')}</p>")
    value = secrets.token_bytes(64)
    alike, different = [
        len(b"".join(join_gzipped([section], {"visitor": value, "form_token": other})))
        for other in (value, secrets.token_bytes(64))
    ]
    assert alike == different


@given(st.lists(TEMPLATE, max_size=4), SLOTS)
def test_sections_that_are_one_have_the_same_page_in_fewer_pieces(
    templates: list[str], slots: dict[str, bytes]
) -> None:
    sections = [Section.split(template) for template in templates]
    one = Section.join(sections)
    assert b"".join(join_plain([one], slots)) == b"".join(join_plain(sections, slots))
    assert gzip.decompress(b"".join(join_gzipped([one], slots))) == b"".join(join_plain([one], slots))
    assert len(one.parts) <= sum(len(section.parts) for section in sections)
    texts = [not isinstance(part, str) for part in one.parts]
    assert not any(text and following for text, following in pairwise(texts))


def test_a_slot_that_all_responses_share_is_filled_once() -> None:
    section = Section.split(f"<p>{mark_slot('visitor')}</p>{mark_slot('nonce')}").fill("visitor", "Ana")
    assert b"".join(join_plain([section], {"nonce": b"n"})) == b"<p>Ana</p>n"
    assert len(section.parts) == 2
