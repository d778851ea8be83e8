"""The text of a comment: cleaned before it is stored, split into text and links when it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from kernel.addresses import normalize_url
from kernel.errors import Invalid
from kernel.text import clean_line, clean_lines
from tenants.comments.values import MAX_LENGTH, MAX_NAME_LENGTH

_URL: Final = re.compile(
    r"(?<![\w@./:-])https?://[^\s<>\"\\^`{|}\u00ab\u00bb\u2018-\u201f\u3000-\u303f\uff00-\uff0f]+",
    re.IGNORECASE,
)
# The end of a sentence, not of an address.
_TRAILING: Final = ".,;:!?'*_~\u2026"
_CLOSING: Final = {")": "(", "]": "["}
_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
_FRAGMENT: Final = "/?%:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class Text:
    """Plain text; it is escaped where it is shown."""

    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A web address in a text: `href` is ASCII and begins with http:// or https://, `text` is shown."""

    href: str
    text: str


def clean_body(text: str) -> str:
    """Return the text as it is stored; Invalid("comment.empty" | "comment.too_long")."""
    body = clean_lines(text)
    if not body:
        raise Invalid("comment.empty", "A comment has text.")
    if len(body) > MAX_LENGTH:
        message = f"A comment has at most {MAX_LENGTH} characters."
        raise Invalid("comment.too_long", message, length=len(body), most=MAX_LENGTH)
    return body


def clean_author_name(name: str) -> str:
    """Return a name as one line; Invalid("comment.name") if it is empty or too long."""
    clean = clean_line(name)
    if not 1 <= len(clean) <= MAX_NAME_LENGTH:
        raise Invalid("comment.name", f"A name has 1 to {MAX_NAME_LENGTH} characters.", most=MAX_NAME_LENGTH)
    return clean


def check_client_id(client_id: str) -> str:
    """Return the id that a client chose for its post; Invalid("comment.client_id") unless it is 8 to 64 characters."""
    if not _CLIENT_ID.fullmatch(client_id):
        message = "The id of a post has 8 to 64 letters, digits, hyphens and underscores."
        raise Invalid("comment.client_id", message)
    return client_id


def split_links(body: str) -> tuple[Text | Link, ...]:
    """Return the parts of a body in order; together their texts are the body, except where a host has an IDN.

    A host with letters beyond ASCII is shown in its encoded form, so that it cannot imitate another. An address with a
    user name is no link: it can show one host and open another.
    """
    return tuple(_split(body))


def _split(body: str) -> Iterator[Text | Link]:
    start = 0
    for match in _URL.finditer(body):
        written = _trim(match[0])
        link = _build_link(written)
        if link is None:
            continue
        if match.start() > start:
            yield Text(body[start : match.start()])
        yield link
        start = match.start() + len(written)
    if start < len(body):
        yield Text(body[start:])


def _trim(url: str) -> str:
    """Remove the punctuation behind an address; a closing bracket belongs to it if it opens one."""
    end = len(url)
    # How many brackets of each kind are closed and not opened; counted once, because a text may end with thousands.
    excess = {closing: url.count(closing) - url.count(opening) for closing, opening in _CLOSING.items()}
    while end:
        last = url[end - 1]
        if last in _TRAILING:
            end -= 1
        elif excess.get(last, 0) > 0:
            end, excess[last] = end - 1, excess[last] - 1
        else:
            break
    return url[:end]


def _build_link(written: str) -> Link | None:
    address, has_fragment, fragment = written.partition("#")
    try:
        href = normalize_url(address)
        if has_fragment:
            href += "#" + quote(fragment, safe=_FRAGMENT)
    except (Invalid, UnicodeError):
        return None
    authority = address.split("/", 3)[2]
    return Link(href, written if authority.isascii() else href)
