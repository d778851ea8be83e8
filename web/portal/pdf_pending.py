"""The response while a PDF is not ready: a page that refreshes itself, or JSON for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from litestar import MediaType, Response

from kernel.errors import Unavailable
from web.http.errors import format_retry_after
from web.http.security import DATA_POLICY, STATIC_POLICY

if TYPE_CHECKING:
    from kernel.language import Language
    from tenants.invoices.values import PendingPdf
    from web.http.context import GatewayRequest
    from web.http.errors import Problems
    from web.http.templates import Templates

#: How often the page refreshes itself; with the wait of each request this takes six minutes or more.
MOST_TRIES: Final = 30
_SHORTEST_REFRESH_S: Final = 2
_LONGEST_REFRESH_S: Final = 60
_FEW_SECONDS_S: Final = 15
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True)
class PendingPage:
    """The values of `pdf_pending.html.jinja`. When `refresh_s` is 0 it does not refresh: `again_url` is a link."""

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


def build_pending_page(
    pending: PendingPdf,
    language: Language,
    *,
    tries: int,
    page_url: str,
    pdf_query: str,
    number: str,
    workspace: str,
    inline: bool,
) -> PendingPage:
    """Return the page for a browser that has tried `tries` times; `pdf_query` is the query of its next try."""
    _ = language.gettext
    is_over = tries >= MOST_TRIES
    when = format_delay(pending.after_s, language)
    if is_over:
        heading = _("The PDF is still not ready")
        text = _("This page has stopped trying. Please try again later, or ask the sender for the PDF.")
    elif pending.code:
        heading = _("The PDF is not available right now")
        text = _("It should be ready %(when)s. This page tries again by itself.") % {"when": when}
    else:
        heading = _("Your PDF is being prepared")
        text = (
            _("It should open here %(when)s.")
            if inline
            else _("The download should start by itself %(when)s. Then you can close this page.")
        ) % {"when": when}
    query = "&".join(part for part in (pdf_query, "" if is_over else f"tries={tries + 1}") if part)
    again = f"{page_url}/invoice.pdf"
    return PendingPage(
        language=language.message_tag,
        direction=language.direction,
        title=f"{heading} · {workspace}",
        invoice=_("Invoice %(number)s") % {"number": number} + f" · {workspace}",
        heading=heading,
        text=text,
        is_waiting=not is_over and not pending.code,
        refresh_s=0 if is_over else compute_refresh_s(pending),
        again_url=f"{again}?{query}" if query else again,
        page_url=page_url,
    )


def compute_refresh_s(pending: PendingPdf) -> int:
    """Return the whole seconds until the page refreshes itself."""
    return min(max(_SHORTEST_REFRESH_S, pending.after_s), _LONGEST_REFRESH_S)


def format_delay(seconds: float, language: Language) -> str:
    """Return a delay as the end of a sentence: "in about 2 minutes"."""
    if seconds <= _FEW_SECONDS_S:
        return language.gettext("in a few seconds")
    if seconds <= _MINUTE_S:
        return language.gettext("in less than a minute")
    if seconds <= _HOUR_S:
        minutes = math.ceil(seconds / _MINUTE_S)
        return language.ngettext("in about %(n)s minute", "in about %(n)s minutes", minutes) % {"n": minutes}
    hours = math.ceil(seconds / _HOUR_S)
    return language.ngettext("in about %(n)s hour", "in about %(n)s hours", hours) % {"n": hours}


def respond_with_page(
    templates: Templates, page: PendingPage, pending: PendingPdf, language: Language
) -> Response[bytes]:
    """Return the page: 202 while the PDF is being rendered, 503 while the service or the store is unavailable."""
    return Response(
        templates.render("pdf_pending.html.jinja", language, page).encode(),
        status_code=503 if pending.code else 202,
        media_type=MediaType.HTML,
        headers={
            "content-security-policy": STATIC_POLICY,
            "vary": "accept",
            "retry-after": format_retry_after(compute_refresh_s(pending)),
        },
    )


def respond_with_data(
    problems: Problems, request: GatewayRequest, pending: PendingPdf
) -> Response[bytes] | Response[dict[str, object]]:
    """Return JSON for programs: 202 with a status, or 503 with a problem document when something is unavailable."""
    retry_after = format_retry_after(max(1, pending.after_s))
    if pending.code:
        error = Unavailable(
            pending.code, "The PDF is not available right now.", retry_after_s=pending.after_s
        )
        description = problems.describe(request, error)
        return problems.render(request, description, {"vary": "accept, accept-language, cookie"})
    return Response(
        {"status": "preparing", "retry_after_s": int(retry_after)},
        status_code=202,
        media_type=MediaType.JSON,
        headers={"content-security-policy": DATA_POLICY, "vary": "accept", "retry-after": retry_after},
    )
