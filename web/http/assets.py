"""The built scripts and styles: read and compressed once, served under names that carry their hash."""

from __future__ import annotations

import hashlib
import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import brotli  # type: ignore[import-untyped]
import msgspec

from kernel.errors import Unavailable
from tenants.invoices.document.fonts import FOLDER as FACES
from web.http.compression import SMALLEST, accepts, gzipped

BUILT: Final = Path(__file__).parent.parent / "static"
PREFIX: Final = "/assets/"
_HASHED: Final = re.compile(r"-[A-Za-z0-9_-]{8,}\.[a-z0-9.]+\Z")
# The best coding of pdf.js would cost every start a second, for a twelfth of its size.
_LARGE: Final = 256 * 1024
_TEXT: Final = ("text/", "application/javascript", "application/json", "image/svg+xml")
_TYPES: Final = {
    ".woff2": "font/woff2",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".map": "application/json",
}


class _Chunk(msgspec.Struct, frozen=True):
    """One entry of Vite's manifest; the rest of it is of no interest here."""

    file: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One built file with its compressed twins (None where they would not be smaller)."""

    body: bytes
    content_type: str
    etag: str
    immutable: bool
    brotli: bytes | None
    gzip: bytes | None

    def encoded(self, accept_encoding: bytes) -> tuple[bytes, str | None]:
        """Return the smallest body the client takes, and the name of its coding."""
        if self.brotli is not None and accepts(accept_encoding, "br"):
            return self.brotli, "br"
        if self.gzip is not None and accepts(accept_encoding, "gzip"):
            return self.gzip, "gzip"
        return self.body, None


class Assets:
    """All files of one build, and the way from a source's name to the URL of what became of it."""

    def __init__(self, files: dict[str, Asset], names: dict[str, str], faces: dict[str, Path]) -> None:
        """Take the files by their path below /assets/, the paths by the name of their source, the document's faces."""
        self._files = files
        self._names = names
        self._faces = faces

    @classmethod
    def load(cls, folder: Path = BUILT, faces: Path = FACES) -> Assets:
        """Read a Vite build with its manifest; Unavailable("assets.missing") when there is none.

        The faces of other scripts are many and seldom asked for: they are read when they are.
        """
        manifest = folder / ".vite" / "manifest.json"
        if not manifest.is_file():
            message = "The scripts and styles are not built: run `npm ci && npm run build` in web/assets."
            raise Unavailable("assets.missing", message)
        chunks = msgspec.json.decode(manifest.read_bytes(), type=dict[str, _Chunk])
        files = {
            path.relative_to(folder).as_posix(): _asset(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and ".vite" not in path.parts
        }
        names = {name: chunk.file for name, chunk in chunks.items()}
        return cls(files, names, {path.name: path for path in faces.glob("*.woff2")})

    def url(self, name: str) -> str:
        """Return the URL of a source named in the manifest; KeyError for a name that is not."""
        return PREFIX + self._names[name]

    def find(self, path: str) -> Asset | None:
        """Return the file at a path below /assets/; what was not there at start is not there."""
        if (found := self._files.get(path)) is None and (face := self._faces.get(path)) is not None:
            return _asset(face)
        return found


def _asset(path: Path) -> Asset:
    body = path.read_bytes()
    content_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = content_type.startswith(_TEXT) and len(body) >= SMALLEST
    return Asset(
        body=body,
        content_type=f"{content_type}; charset=utf-8" if content_type.startswith("text/") else content_type,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        immutable=bool(_HASHED.search(path.name)),
        brotli=brotli.compress(body, quality=9 if len(body) > _LARGE else 10) if is_text else None,
        gzip=gzipped(body, 9) if is_text else None,
    )
