"""Where a form returns to: only paths of this host that have the shape of our own."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlsplit

HOME: Final = "/"
_LONGEST: Final = 500
# No doubled slash, no dot, no backslash: such a path cannot name another host, whatever a browser makes of it.
_PATH: Final = re.compile(r"/|(/[A-Za-z0-9_-]+)+")
_FRAGMENT: Final = re.compile(r"[A-Za-z0-9_-]*")
_NEXT: Final = "next"


def parse_next(text: str) -> str:
    """Return the relative path that a request names to return to, built anew from its parts; the home for any other."""
    if len(text) > _LONGEST:
        return HOME
    return _parse(text) or _parse_nested(text) or HOME


def add_next(path: str, target: str) -> str:
    """Return a path with the place to return to in its query; nothing is added for the home."""
    return path if target == HOME else f"{path}?{_NEXT}={target.replace('?', '%3F').replace('#', '%23')}"


def _parse(text: str) -> str:
    """Return a path and its fragment; empty for anything else."""
    path, _, fragment = text.partition("#")
    if not _PATH.fullmatch(path) or not _FRAGMENT.fullmatch(fragment):
        return ""
    return f"{path}#{fragment}" if fragment else path


def _parse_nested(text: str) -> str:
    """Return a path whose query is a place to return to in its turn, as the sign-in before an authenticator has it."""
    try:
        split = urlsplit(text)
        query = parse_qsl(split.query, strict_parsing=True)
    except ValueError:
        return ""
    if split.scheme or split.netloc or len(query) != 1 or query[0][0] != _NEXT:
        return ""
    path, target = _parse(split.path), _parse(query[0][1])
    return add_next(path, target) if path and target else ""
