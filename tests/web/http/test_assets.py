"""Assets: read from Vite's manifest, compressed, named by their hash; and how they are served."""

import gzip
import json
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest

from kernel.errors import Unavailable
from web.http.assets import Assets
from web.http.conditional import asset_answer

SCRIPT = b"export const answer = 42;\n" * 100


@pytest.fixture
def build(tmp_path: Path) -> Path:
    (tmp_path / ".vite").mkdir()
    (tmp_path / ".vite" / "manifest.json").write_text(
        json.dumps({"page.ts": {"file": "page-Bvzpbae_.js", "isEntry": True, "css": []}})
    )
    (tmp_path / "page-Bvzpbae_.js").write_bytes(SCRIPT)
    (tmp_path / "face-Dx4kXJAl.woff2").write_bytes(b"\x00" * 5000)
    (tmp_path / "plain.css").write_bytes(b"a{}")
    return tmp_path


def test_a_source_is_found_under_the_name_its_build_got(build: Path) -> None:
    assets = Assets.load(build)
    assert assets.url("page.ts") == "/assets/page-Bvzpbae_.js"
    with pytest.raises(KeyError):
        assets.url("nothing.ts")


def test_a_script_is_served_in_the_best_coding_and_for_ever(build: Path) -> None:
    asset = Assets.load(build).find("page-Bvzpbae_.js")
    assert asset is not None
    plain, packed, best = (
        asset_answer(asset, {b"accept-encoding": coding}) for coding in (b"", b"gzip", b"br, gzip")
    )
    assert plain.body == gzip.decompress(packed.body) == brotli.decompress(best.body) == SCRIPT
    headers = dict(best.headers)
    assert headers[b"content-type"] == b"text/javascript; charset=utf-8"
    assert headers[b"content-encoding"] == b"br"
    assert headers[b"cache-control"] == b"public, max-age=31536000, immutable"
    assert headers[b"vary"] == b"accept-encoding"
    assert len({dict(answer.headers)[b"etag"] for answer in (plain, packed, best)}) == 3


def test_who_has_it_already_gets_no_body(build: Path) -> None:
    asset = Assets.load(build).find("page-Bvzpbae_.js")
    assert asset is not None
    tag = dict(asset_answer(asset, {b"accept-encoding": b"br"}).headers)[b"etag"]
    for asked in (tag, b"W/" + tag, b'"other", ' + tag, b"*"):
        answer = asset_answer(asset, {b"accept-encoding": b"br", b"if-none-match": asked})
        assert (answer.status, answer.body) == (304, b"")
    assert asset_answer(asset, {b"if-none-match": b'"other"'}).status == 200


def test_a_font_is_not_compressed_again_and_a_tiny_file_not_at_all(build: Path) -> None:
    assets = Assets.load(build)
    for name, content_type in (
        ("face-Dx4kXJAl.woff2", b"font/woff2"),
        ("plain.css", b"text/css; charset=utf-8"),
    ):
        asset = assets.find(name)
        assert asset is not None
        headers = dict(asset_answer(asset, {b"accept-encoding": b"br"}).headers)
        assert headers[b"content-type"] == content_type
        assert b"content-encoding" not in headers


def test_a_file_without_a_hash_in_its_name_is_asked_for_again(build: Path) -> None:
    asset = Assets.load(build).find("plain.css")
    assert asset is not None
    assert dict(asset_answer(asset, {}).headers)[b"cache-control"] == b"no-cache"


@pytest.mark.parametrize("name", ["", "nothing.js", ".vite/manifest.json", "../assets.py", "/etc/passwd"])
def test_only_what_was_built_is_served(build: Path, name: str) -> None:
    assert Assets.load(build).find(name) is None


def test_a_missing_build_is_said_at_start_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="npm run build") as caught:
        Assets.load(tmp_path)
    assert caught.value.code == "assets.missing"
