"""What is answered while a PDF is not there: a calm page that comes back by itself, or data for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from web.http.answer import Answer
from web.http.errors import retry_after
from web.http.security import STILL_POLICY

if TYPE_CHECKING:
    from kernel.language import Language
    from web.http.context import Headers
    from web.http.errors import Refusals
    from web.http.security import Header
    from web.http.templates import Templates

#: So often the page comes back by itself: for six minutes or more, with what each request waits.
MOST_TRIES: Final = 30
_SOONEST_S: Final = 2
_LATEST_S: Final = 60
_FEW_SECONDS: Final = 15
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_COMMON: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"vary", b"accept"),
    STILL_POLICY,
)


@dataclass(frozen=True, slots=True)
class Later:
    """When to come back: in about `after_s` seconds. `code` says what is away, empty when nothing is."""

    after_s: float
    code: str = ""


@dataclass(frozen=True, slots=True)
class LaterPage:
    """What `later.html.jinja` prints. No refresh where `refresh_s` is 0: then `again_url` is a link."""

    language: str
    direction: str
    title: str
    invoice: str
    heading: str
    text: str
    is_waiting: bool
    refresh_s: int
    again_url: str
    page_url: str


def wants_page(accept: bytes) -> bool:
    """Tell whether a browser goes to the address by itself, rather than a program fetching it."""
    return b"text/html" in accept.lower()


def later_page(
    later: Later,
    language: Language,
    *,
    tries: int,
    page_url: str,
    number: str,
    workspace: str,
    inline: bool = False,
) -> LaterPage:
    """Return the page for who has come back `tries` times."""
    _ = language.gettext
    is_over = tries >= MOST_TRIES
    when = in_words(later.after_s, language)
    if is_over:
        heading = _("The PDF is still not ready")
        text = _("This page has stopped trying. Please try again later, or ask the sender for the PDF.")
    elif later.code:
        heading = _("The PDF is not available right now")
        text = _("It should be ready %(when)s. This page tries again by itself.") % {"when": when}
    else:
        heading = _("Your PDF is being prepared")
        text = (
            _("It should open here %(when)s.")
            if inline
            else _("The download should start by itself %(when)s. Then you can close this page.")
        ) % {"when": when}
    again = f"{page_url}/invoice.pdf"
    query = "&".join((["inline"] if inline else []) + ([] if is_over else [f"tries={tries + 1}"]))
    return LaterPage(
        language=language.words_tag,
        direction=language.direction,
        title=f"{heading} · {workspace}",
        invoice=_("Invoice %(number)s") % {"number": number} + f" · {workspace}",
        heading=heading,
        text=text,
        is_waiting=not is_over and not later.code,
        refresh_s=0 if is_over else _pause_s(later),
        again_url=f"{again}?{query}" if query else again,
        page_url=page_url,
    )


def in_words(seconds: float, language: Language) -> str:
    """Return how long that is, as the end of a sentence: "in about 2 minutes"."""
    if seconds <= _FEW_SECONDS:
        return language.gettext("in a few seconds")
    if seconds <= _MINUTE_S:
        return language.gettext("in less than a minute")
    if seconds <= _HOUR_S:
        minutes = math.ceil(seconds / _MINUTE_S)
        return language.ngettext("in about %(n)s minute", "in about %(n)s minutes", minutes) % {"n": minutes}
    hours = math.ceil(seconds / _HOUR_S)
    return language.ngettext("in about %(n)s hour", "in about %(n)s hours", hours) % {"n": hours}


def page_answer(templates: Templates, page: LaterPage, later: Later, language: Language) -> Answer:
    """Return the page: 202 while the PDF is being made, 503 while what makes or keeps it is away."""
    body = templates.render("later.html.jinja", language, page).encode()
    headers = ((b"content-type", b"text/html; charset=utf-8"), *_COMMON, retry_after(_pause_s(later)))
    return Answer(503 if later.code else 202, headers, body)


def data_answer(refusals: Refusals, later: Later, headers: Headers) -> Answer:
    """Return the same for programs: a status as JSON, or a problem document with its code."""
    pause = retry_after(max(1.0, later.after_s))
    if later.code:
        return refusals.answer(503, headers, code=later.code, extra=(pause,), as_json=True)
    status: dict[str, Any] = {"status": "preparing", "retry_after_s": int(pause[1])}
    return Answer(202, ((b"content-type", b"application/json"), *_COMMON, pause), msgspec.json.encode(status))


def _pause_s(later: Later) -> int:
    return min(max(_SOONEST_S, math.ceil(later.after_s)), _LATEST_S)
