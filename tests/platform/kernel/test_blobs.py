"""Blobs in a folder: kept, ranged, missing, and never outside of it."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kernel.blobs import Blobs
from kernel.errors import Invalid, Missing, Unavailable

KEY = "w/pdf/abc.pdf"


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.open(str(tmp_path / "made" / "on the way"))


async def test_what_is_put_is_there_whole_and_in_parts(blobs: Blobs) -> None:
    await blobs.put(KEY, b"0123456789")
    assert await blobs.size(KEY) == 10
    assert await blobs.get(KEY) == b"0123456789"
    assert await blobs.get(KEY, start=2, end=5) == b"234"
    assert await blobs.get(KEY, start=7) == b"789"
    assert await blobs.get(KEY, start=10) == b""


async def test_another_process_finds_it(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put(KEY, b"kept")
    again = Blobs.open(f"file://{tmp_path / 'made' / 'on the way'}")
    assert await again.get(KEY) == b"kept"


async def test_what_is_not_there_is_missing_and_may_be_deleted_all_the_same(blobs: Blobs) -> None:
    await blobs.put(KEY, b"gone soon")
    await blobs.delete(KEY)
    await blobs.delete(KEY)
    with pytest.raises(Missing):
        await blobs.get(KEY)
    with pytest.raises(Missing):
        await blobs.size(KEY)
    with pytest.raises(Missing):
        await blobs.get(KEY, start=1, end=2)


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../up", "a/../../up", "a//b", ".hidden", "a b", "x" * 501]
)
async def test_no_key_leads_out_of_the_folder(blobs: Blobs, key: str) -> None:
    for call in (blobs.put(key, b"x"), blobs.get(key), blobs.size(key), blobs.delete(key)):
        with pytest.raises(Invalid):
            await call


async def test_a_folder_that_cannot_be_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable):
        Blobs.open(tmp_path / "file" / "below")


async def test_a_folder_that_has_gone_is_unavailable(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "made" / "on the way").rmdir()
    (tmp_path / "made" / "on the way").write_bytes(b"")
    with pytest.raises(Unavailable):
        await blobs.put(KEY, b"nowhere to go")


@contextmanager
def limit_file_size(size: int) -> Iterator[None]:
    """Limit the size of files, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def list_files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_a_full_disk_is_unavailable_leaves_nothing_behind_and_what_was_there_whole(
    blobs: Blobs, tmp_path: Path
) -> None:
    await blobs.put(KEY, b"whole")
    with limit_file_size(100_000):
        for key in (KEY, "w/pdf/other.pdf"):
            with pytest.raises(Unavailable):
                await blobs.put(key, bytes(500_000))
    assert await blobs.get(KEY) == b"whole"
    assert list_files(tmp_path) == ["abc.pdf"]
    await blobs.put("w/pdf/other.pdf", bytes(500_000))
    assert await blobs.size("w/pdf/other.pdf") == 500_000


@pytest.mark.parametrize("where", ["s3://", "s3://two words/x"])
async def test_a_url_that_names_no_bucket_is_unavailable(where: str) -> None:
    with pytest.raises(Unavailable):
        Blobs.open(where)
