"""What robots ask: may the pages be indexed."""

from __future__ import annotations

from typing import Final

from litestar import get
from litestar.types import ASGIApp

from web.http.answer import Answer
from web.http.conditional import ASK_AGAIN

_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
# Pages say "noindex" in a header, and only who may fetch a page can read that. Forbidding the fetch instead
# would let a link that was published somewhere be listed by its address.
_ROBOTS: Final = b"User-agent: *\nDisallow:\n"


@get("/robots.txt", name="robots")
async def robots() -> ASGIApp:
    """Let robots read that they may index nothing."""
    return Answer(200, (_TEXT, ASK_AGAIN), _ROBOTS)
