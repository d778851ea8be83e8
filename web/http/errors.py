"""From a failure to an answer: status, page or problem document, the same for the same failure."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar.exceptions import HTTPException

from kernel.errors import Kind, PortalError
from web.http.answer import Answer
from web.http.security import STILL_POLICY
from web.http.templates import words
from web.http.unknown_host import STRAY_PAGE, STRAY_POLICY
from web.portal.page import Notice

if TYPE_CHECKING:
    from web.http.context import Headers
    from web.http.security import Header
    from web.http.templates import Templates

STATUS: Final = {
    Kind.MISSING: 404,
    Kind.DENIED: 403,
    Kind.CONFLICT: 409,
    Kind.INVALID: 400,
    Kind.THROTTLED: 429,
    Kind.UNAVAILABLE: 503,
}
SPOKEN: Final = ("en", "de")
RETRY_AFTER_S: Final = 2


def _(text: str) -> str:
    """Mark a text for the catalogues; it is translated where it is printed."""
    return text


# Status: stable key, title, text. What is not here is told as a 500.
_WORDS: Final = {
    400: ("bad_request", _("This request cannot be read"), _("The request contains a mistake.")),
    403: ("denied", _("This is not allowed"), _("Ask the sender of the invoice for access.")),
    404: (
        "not_found",
        _("Invoice not found"),
        _("The link may be incomplete, have expired or been withdrawn. Ask the sender for a new one."),
    ),
    405: ("method", _("This cannot be done here"), _("This page can only be read.")),
    408: ("slow", _("That took too long"), _("The request did not arrive in time. Please try again.")),
    409: (
        "conflict",
        _("This has changed since you opened it"),
        _("Load the page again to see how it stands now."),
    ),
    413: ("too_large", _("That is too large"), _("The data sent is larger than allowed.")),
    414: ("too_long", _("This address is too long"), _("Open the link exactly as you were given it.")),
    429: (
        "throttled",
        _("One moment, please"),
        _("Too many requests came from your network. Wait a moment, then load the page again."),
    ),
    500: (
        "failed",
        _("Something went wrong on our side"),
        _("It has been recorded and will be looked at. Please try again in a little while."),
    ),
    503: (
        "unavailable",
        _("Back in a moment"),
        _("The page cannot be shown right now. Please try again in a moment."),
    ),
}

_NO_STORE: Final[Header] = (b"cache-control", b"no-store")
_VARY: Final[Header] = (b"vary", b"accept, accept-language")


# The host is not ours, so neither are its words and its look.
UNKNOWN_HOST: Final = Answer(
    404,
    ((b"content-type", b"text/html; charset=utf-8"), _NO_STORE, STRAY_POLICY),
    STRAY_PAGE,
)


class Refusals:
    """Builds the answers for what went wrong: neutral pages without any workspace's brand."""

    def __init__(self, templates: Templates) -> None:
        """Take the templates `not_found.html.jinja` and `error.html.jinja` are found in."""
        self._templates = templates
        self._page = lru_cache(maxsize=256)(self._rendered)

    def of(self, error: Exception, headers: Headers, request_id: str, *, as_json: bool = False) -> Answer:
        """Return the answer to an error of ours, of the framework's or of nobody's (then it is a 500).

        Why something is missing is told to nobody: all of it is one and the same answer.
        """
        status, extra = _status_of(error)
        code = error.code if isinstance(error, PortalError) and status != 404 else ""
        return self.answer(status, headers, request_id=request_id, code=code, extra=extra, as_json=as_json)

    def answer(
        self,
        status: int,
        headers: Headers,
        *,
        request_id: str = "",
        code: str = "",
        extra: tuple[Header, ...] = (),
        as_json: bool = False,
    ) -> Answer:
        """Return the page, or the problem document (RFC 9457) where the client asks for JSON.

        The request id is shown with a 500 only: everything else is the same bytes for everybody.
        """
        shown_id = request_id if status == 500 else ""
        language = negotiated(headers.get(b"accept-language", b""))
        if as_json or prefers_json(headers.get(b"accept", b"")):
            content_type = b"application/problem+json"
            body = _problem(status, language, code, shown_id)
        else:
            content_type = b"text/html; charset=utf-8"
            body = (self._rendered if shown_id else self._page)(status, language, shown_id)
        common = ((b"content-type", content_type), _NO_STORE, _VARY, STILL_POLICY)
        return Answer(status, (*common, *extra), body)

    def _rendered(self, status: int, language: str, request_id: str) -> bytes:
        speaker = words(language)
        key, title, text = _WORDS[status]
        notice = Notice(
            language=language,
            direction=speaker.direction,
            status=status,
            key=key,
            title=speaker.gettext(title),
            text=speaker.gettext(text),
            request_id=request_id,
        )
        name = "not_found.html.jinja" if status == 404 else "error.html.jinja"
        return self._templates.render(name, speaker, notice).encode()


def retry_after(seconds: float) -> Header:
    """Return the header that says when to come back, in whole seconds and never at once."""
    return (b"retry-after", str(max(1, math.ceil(seconds))).encode())


@lru_cache(maxsize=1024)
def negotiated(accept_language: bytes) -> str:
    """Return which of the languages we speak the client prefers (RFC 9110, 12.5.4); English when none."""
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language.decode("latin-1").lower().split(",")[:16]):
        tag, _sep, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            quality = 0
        ranked.append((-quality, place, tag.strip().partition("-")[0]))
    return next((tag for quality, _place, tag in sorted(ranked) if quality < 0 and tag in SPOKEN), "en")


@lru_cache(maxsize=1024)
def prefers_json(accept: bytes) -> bool:
    """Tell whether the client asks for JSON and not for a page."""
    return b"json" in accept and b"html" not in accept


def _status_of(error: Exception) -> tuple[int, tuple[Header, ...]]:
    if isinstance(error, PortalError):
        status = STATUS[error.kind]
        if status in {429, 503}:
            return status, (retry_after(_seconds(error.data.get("retry_after_s"))),)
        return status, ()
    if isinstance(error, HTTPException) and error.status_code in _WORDS:
        # Every route that can be read can be asked for its head only: the edge sees to it.
        return error.status_code, ((b"allow", b"GET, HEAD"),) if error.status_code == 405 else ()
    return 500, ()


def _seconds(given: object) -> float:
    return float(given) if isinstance(given, int | float) else RETRY_AFTER_S


def _problem(status: int, language: str, code: str, request_id: str) -> bytes:
    key, title, text = _WORDS[status]
    speaker = words(language)
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": speaker.gettext(title),
        "status": status,
        "detail": speaker.gettext(text),
        "code": code or f"http.{key}",
    }
    if request_id:
        problem["request_id"] = request_id
    return msgspec.json.encode(problem)
