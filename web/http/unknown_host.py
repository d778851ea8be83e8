"""The page for an unknown host: the same bytes for every client, with its style inside."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from litestar import MediaType, Response

# No style sheet is served on such a host, so the page contains its style.
_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{display:grid;place-items:center;min-height:100vh;margin:0;padding:0 24px;box-sizing:border-box;"
    "background:#f6f6f4;color:#16191f;font:100%/1.5 system-ui,sans-serif}"
    "main{max-width:26rem;padding-bottom:8vh}"
    "h1,h2{margin:0;font-size:1.2rem;font-weight:600;line-height:1.25}"
    "p{margin:8px 0 0}section{margin-top:32px;color:#565d69}"
    "@media(prefers-color-scheme:dark){body{background:#16181c;color:#eceef1}section{color:#a3aab6}}"
)

PAGE: Final = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="robots" content="noindex, nofollow">\n'
    f"<title>Nothing here</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
    "<h1>There is nothing at this address</h1>\n"
    "<p>Open the link exactly as you were given it, or ask the sender of the invoice for a new one.</p>\n"
    '<section lang="de">\n'
    "<h2>Unter dieser Adresse gibt es nichts</h2>\n"
    "<p>Öffnen Sie den Link genau so, wie Sie ihn erhalten haben, oder bitten Sie den Absender der Rechnung "
    "um einen neuen.</p>\n"
    "</section>\n</main>\n</body>\n</html>\n"
).encode()

_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# The policy allows the one style element by its hash (CSP level 3, 8.3), and nothing else.
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def render_unknown_host() -> Response[bytes]:
    """Return the page; it names no workspace, because the host belongs to none."""
    return Response(
        PAGE, status_code=404, media_type=MediaType.HTML, headers={"content-security-policy": POLICY}
    )
