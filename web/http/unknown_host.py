"""The page for a host that is nobody's: the same bytes for everybody, complete in itself."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from web.http.security import Header

# Nothing else is answered on such a host, no style sheet either: so the page carries its own.
_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{display:grid;place-items:center;min-height:100vh;margin:0;padding:0 24px;box-sizing:border-box;"
    "background:#f6f6f4;color:#16191f;font:100%/1.5 system-ui,sans-serif}"
    "main{max-width:26rem;padding-bottom:8vh}"
    "h1,h2{margin:0;font-size:1.2rem;font-weight:600;line-height:1.25}"
    "p{margin:8px 0 0}section{margin-top:32px;color:#565d69}"
    "@media(prefers-color-scheme:dark){body{background:#16181c;color:#eceef1}section{color:#a3aab6}}"
)

STRAY_PAGE: Final = (
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
# Its one style is allowed by its hash (CSP level 3, 8.3), and nothing else at all.
STRAY_POLICY: Final[Header] = (
    b"content-security-policy",
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'".encode(),
)
