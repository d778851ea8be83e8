"""The built scripts and styles: read and compressed once, served under names that carry their hash."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import brotli  # type: ignore[import-untyped]
import msgspec
from litestar import HttpMethod, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from kernel.errors import Missing, Unavailable
from tenants.invoices.document.fonts import FOLDER as FACES
from web.http.compression import SMALLEST, compress
from web.http.conditional import IMMUTABLE, REVALIDATE
from web.http.context import GatewayRequest
from web.http.lru import MEBIBYTE, SharedCache
from web.http.negotiation import accepts_coding
from web.http.responses import Body, answer_conditions, build_validators, respond

BUILT: Final = Path(__file__).parent.parent / "static"
PREFIX: Final = "/assets/"
_HASHED: Final = re.compile(r"-[A-Za-z0-9_-]{8,}\.[a-z0-9.]+\Z")
# A higher quality for pdf.js would take a second of every start and save a twelfth of its size.
_LARGE: Final = 256 * 1024
# Bytes: the font faces of some invoices in Chinese or Japanese; a face has 20 to 90 kB.
_FACES_BYTES: Final = 32 * MEBIBYTE
_TEXT: Final = ("text/", "application/javascript", "application/json", "image/svg+xml")
_TYPES: Final = {
    ".woff2": "font/woff2",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".map": "application/json",
}


class _Chunk(msgspec.Struct, frozen=True):
    """One entry of Vite's manifest; its other fields are ignored."""

    file: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One built file with its compressed forms; they are None for small files and for types that do not compress."""

    body: bytes
    content_type: str
    etag: str
    immutable: bool
    brotli: bytes | None
    gzip: bytes | None

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return len(self.body) + 1024

    def encode(self, accept_encoding: str | None) -> tuple[bytes, str | None]:
        """Return the smallest body that the client accepts, and the name of its coding."""
        if self.brotli is not None and accepts_coding(accept_encoding, "br"):
            return self.brotli, "br"
        if self.gzip is not None and accepts_coding(accept_encoding, "gzip"):
            return self.gzip, "gzip"
        return self.body, None


class Assets:
    """The files of one build, by path; maps the name of a source to the URL of its built file."""

    def __init__(self, files: dict[str, Asset], names: dict[str, str], faces: dict[str, Path]) -> None:
        """Map paths below /assets/ to files, names of sources to paths, and names to the document's font faces."""
        self._files = files
        self._names = names
        self._faces = faces
        self._cache: SharedCache[str, Asset] = SharedCache(_FACES_BYTES, lambda _result: None)

    @classmethod
    def load(cls, folder: Path = BUILT, faces: Path = FACES) -> Assets:
        """Read a Vite build with its manifest; Unavailable("assets.missing") when there is none.

        The faces of other scripts are many and rarely used: each is read when it is first requested.
        """
        manifest = folder / ".vite" / "manifest.json"
        if not manifest.is_file():
            message = "The scripts and styles are not built: run `npm ci && npm run build` in web/assets."
            raise Unavailable("assets.missing", message)
        chunks = msgspec.json.decode(manifest.read_bytes(), type=dict[str, _Chunk])
        files = {
            path.relative_to(folder).as_posix(): _read_asset(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and ".vite" not in path.parts
        }
        names = {name: chunk.file for name, chunk in chunks.items()}
        return cls(files, names, {path.name: path for path in faces.glob("*.woff2")})

    def url(self, name: str) -> str:
        """Return the URL of a source named in the manifest; KeyError for a name that is not."""
        return PREFIX + self._names[name]

    async def find(self, path: str) -> Asset:
        """Return the file at a path below /assets/; Missing("asset.not_found") for any other path."""
        if (file := self._files.get(path)) is not None:
            return file
        if (face := self._faces.get(path)) is not None:
            # A thread reads and hashes the file, once.
            return await self._cache.get_or_make(path, lambda: asyncio.to_thread(_read_asset, face))
        raise Missing("asset.not_found", "There is no such file.")


@route("/assets/{name:str}", http_method=[HttpMethod.GET, HttpMethod.HEAD], name="asset")
async def serve_asset(request: GatewayRequest, name: FromPath[str], assets: NamedDependency[Assets]) -> Body:
    """Return one file of the build, in the best coding that the client accepts."""
    asset = await assets.find(name)
    body, coding = asset.encode(request.get_header("accept-encoding"))
    cache_control = IMMUTABLE if asset.immutable else REVALIDATE
    if (answer := answer_conditions(request, asset.etag, cache_control, coding)) is not None:
        return answer
    headers = build_validators(asset.etag, cache_control, coding)
    if coding is not None:
        headers["content-encoding"] = coding
    return respond((body,), media_type=asset.content_type, headers=headers)


def _read_asset(path: Path) -> Asset:
    body = path.read_bytes()
    content_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = content_type.startswith(_TEXT) and len(body) >= SMALLEST
    return Asset(
        body=body,
        content_type=content_type,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        immutable=bool(_HASHED.search(path.name)),
        brotli=brotli.compress(body, quality=9 if len(body) > _LARGE else 10) if is_text else None,
        gzip=compress(body, 9) if is_text else None,
    )
