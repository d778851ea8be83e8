"""Answers that may be asked for again: entity tags, 304, compression, life in caches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from web.http.answer import Answer
from web.http.compression import SMALLEST, accepts, gzipped

if TYPE_CHECKING:
    from web.http.assets import Asset
    from web.http.context import Headers
    from web.http.security import Header

FOREVER: Final[Header] = (b"cache-control", b"public, max-age=31536000, immutable")
ASK_AGAIN: Final[Header] = (b"cache-control", b"no-cache")
# What a link opens is for its holder's own cache only, and to be asked for each time.
PRIVATE: Final[Header] = (b"cache-control", b"private, no-cache")
_VARY: Final[Header] = (b"vary", b"accept-encoding")


def tagged(body: bytes, content_type: str, etag: str, cache: Header, headers: Headers) -> Answer:
    """Return `body` gzipped where that is wanted and worth it, or 304 when the client has it already."""
    coding = None
    if len(body) >= SMALLEST and content_type.startswith(("application/json", "text/")):
        packed = accepts(headers.get(b"accept-encoding", b""), "gzip")
        coding = "gzip" if packed else None
    if _has_it(headers, etag):
        return Answer(304, ((b"etag", _tag(etag, coding)), cache, _VARY))
    return _answer(gzipped(body) if coding else body, content_type, etag, cache, coding)


def asset_answer(asset: Asset, headers: Headers) -> Answer:
    """Return a built file in the best coding the client takes."""
    body, coding = asset.encoded(headers.get(b"accept-encoding", b""))
    cache = FOREVER if asset.immutable else ASK_AGAIN
    if _has_it(headers, asset.etag):
        return Answer(304, ((b"etag", _tag(asset.etag, coding)), cache, _VARY))
    return _answer(body, asset.content_type, asset.etag, cache, coding)


def _answer(body: bytes, content_type: str, etag: str, cache: Header, coding: str | None) -> Answer:
    headers = [(b"content-type", content_type.encode()), (b"etag", _tag(etag, coding)), cache, _VARY]
    if coding is not None:
        headers.append((b"content-encoding", coding.encode()))
    return Answer(200, tuple(headers), body)


def _tag(etag: str, coding: str | None) -> bytes:
    """Return the tag of one coding: strong tags name bytes, and each coding has its own."""
    return (etag if coding is None else f'{etag[:-1]}-{coding}"').encode()


def _has_it(headers: Headers, etag: str) -> bool:
    """Compare weakly (RFC 9110, 13.1.2) and across codings: the client has one of them, and that will do."""
    asked = headers.get(b"if-none-match")
    if asked is None:
        return False
    known = {etag, *(f'{etag[:-1]}-{coding}"' for coding in ("gzip", "br"))}
    named = {tag.removeprefix("W/") for tag in tags(asked)}
    return "*" in named or not known.isdisjoint(named)


def tags(header: bytes) -> list[str]:
    """Return the entity tags of a list; one of another server's that holds a comma comes in pieces."""
    return [tag.strip() for tag in header.decode("latin-1").split(",")]
