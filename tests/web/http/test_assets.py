"""Assets: read from Vite's manifest, compressed, named by their hash; and how they are served."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import httpx
import pytest
from litestar import Litestar

from kernel.errors import Missing, Unavailable
from web.http.assets import Assets, serve_asset
from web.http.context import GatewayRequest
from web.http.surface import provide

SCRIPT = b"export const answer = 42;\n" * 100
NAME = "page-Bvzpbae_.js"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    (tmp_path / ".vite").mkdir()
    (tmp_path / ".vite" / "manifest.json").write_text(
        json.dumps({"page.ts": {"file": NAME, "isEntry": True, "css": []}})
    )
    (tmp_path / NAME).write_bytes(SCRIPT)
    (tmp_path / "face-Dx4kXJAl.woff2").write_bytes(b"\x00" * 5000)
    (tmp_path / "plain.css").write_bytes(b"a{}")
    return tmp_path


@dataclass(frozen=True, slots=True)
class Sent:
    """A response as it is on the wire: nothing is decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def fetch(assets: Assets, name: str, **headers: str) -> Sent:
    """Ask the route of files for one."""
    app: Any = Litestar(
        [serve_asset],
        request_class=GatewayRequest,
        dependencies=provide(assets=assets),
        openapi_config=None,
        logging_config=None,
    )
    named = {"accept-encoding": ""} | {key.replace("_", "-"): value for key, value in headers.items()}
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://files.test") as client,
        client.stream("GET", f"/assets/{name}", headers=named) as response,
    ):
        return Sent(
            response.status_code, response.headers, b"".join([part async for part in response.aiter_raw()])
        )


def test_a_source_is_found_under_the_name_its_build_got(build: Path) -> None:
    assets = Assets.load(build)
    assert assets.url("page.ts") == "/assets/page-Bvzpbae_.js"
    with pytest.raises(KeyError):
        assets.url("nothing.ts")


async def test_a_script_is_served_in_the_best_coding_and_for_ever(build: Path) -> None:
    assets = Assets.load(build)
    plain, gzipped, best = [
        await fetch(assets, NAME, accept_encoding=coding) for coding in ("", "gzip", "br, gzip")
    ]
    assert plain.body == gzip.decompress(gzipped.body) == brotli.decompress(best.body) == SCRIPT
    assert best.headers["content-type"] == "text/javascript; charset=utf-8"
    assert best.headers["content-encoding"] == "br"
    assert best.headers["content-length"] == str(len(best.body))
    assert best.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert best.headers["vary"] == "accept-encoding"
    assert len({response.headers["etag"] for response in (plain, gzipped, best)}) == 3


async def test_a_client_that_has_the_file_gets_no_body(build: Path) -> None:
    assets = Assets.load(build)
    tag = (await fetch(assets, NAME, accept_encoding="br")).headers["etag"]
    for sent in (tag, "W/" + tag, '"other", ' + tag, "*"):
        response = await fetch(assets, NAME, accept_encoding="br", if_none_match=sent)
        assert (response.status, response.body) == (304, b"")
        assert response.headers["etag"] == tag
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["vary"] == "accept-encoding"
    assert (await fetch(assets, NAME, if_none_match='"other"')).status == 200


async def test_a_tag_of_another_coding_is_of_the_same_file(build: Path) -> None:
    assets = Assets.load(build)
    tag = (await fetch(assets, NAME, accept_encoding="br")).headers["etag"]
    assert (await fetch(assets, NAME, accept_encoding="gzip", if_none_match=tag)).status == 304


async def test_a_file_that_is_meant_to_be_another_is_not_sent(build: Path) -> None:
    response = await fetch(Assets.load(build), NAME, if_match='"other"')
    assert (response.status, response.body) == (412, b"")


async def test_a_font_is_not_compressed_again_and_a_tiny_file_not_at_all(build: Path) -> None:
    assets = Assets.load(build)
    for name, content_type in (
        ("face-Dx4kXJAl.woff2", "font/woff2"),
        ("plain.css", "text/css; charset=utf-8"),
    ):
        response = await fetch(assets, name, accept_encoding="br")
        assert response.headers["content-type"] == content_type
        assert "content-encoding" not in response.headers


async def test_a_file_without_a_hash_in_its_name_is_validated_each_time(build: Path) -> None:
    assert (await fetch(Assets.load(build), "plain.css")).headers["cache-control"] == "no-cache"


async def test_a_face_of_the_document_is_read_when_it_is_asked_for(build: Path, tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    face = faces / "han-AbCdEf12.woff2"
    face.write_bytes(b"first")
    assets = Assets.load(build, faces)
    face.write_bytes(b"second")
    found = await asyncio.gather(*(assets.find(face.name) for _ in range(5)))
    assert {each.body for each in found} == {b"second"}
    assert found[0].content_type == "font/woff2"
    assert found[0].immutable
    # It is in memory now.
    face.unlink()
    assert (await assets.find(face.name)).body == b"second"


@pytest.mark.parametrize("name", ["", "nothing.js", ".vite/manifest.json", "../assets.py", "/etc/passwd"])
async def test_only_what_was_built_is_served(build: Path, name: str) -> None:
    with pytest.raises(Missing) as caught:
        await Assets.load(build).find(name)
    assert caught.value.code == "asset.not_found"


def test_a_missing_build_stops_the_start_and_says_how_to_build(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="npm run build") as caught:
        Assets.load(tmp_path)
    assert caught.value.code == "assets.missing"
