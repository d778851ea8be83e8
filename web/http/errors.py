"""Turns exceptions into responses: a status, a page or a problem document; equal errors give equal responses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from litestar import MediaType, Response
from litestar.exceptions import HTTPException

from kernel.errors import Kind, Missing, PortalError
from kernel.telemetry.logs import get_logger
from web.http.bodies import CLIENT_CLOSED_REQUEST, ClientDisconnected
from web.http.negotiation import prefers_json
from web.http.security import DATA_POLICY, STATIC_POLICY
from web.http.templates import load_words
from web.http.templates import mark_text as _

if TYPE_CHECKING:
    from kernel.settings import Settings
    from web.http.context import GatewayRequest
    from web.http.templates import Templates

STATUS: Final = {
    Kind.MISSING: 404,
    Kind.DENIED: 403,
    Kind.CONFLICT: 409,
    Kind.INVALID: 400,
    Kind.THROTTLED: 429,
    Kind.UNAVAILABLE: 503,
}
PROBLEM: Final = "application/problem+json"
RETRY_AFTER_S: Final = 2

_log: Final = get_logger("gateway")


@dataclass(frozen=True, slots=True)
class ErrorText:
    """A status in words: its stable code without the prefix `http.`, a title and a sentence."""

    key: str
    title: str
    text: str


# The texts of a surface that declares no others.
TEXTS: Final[Mapping[int, ErrorText]] = {
    400: ErrorText("bad_request", _("This request cannot be read"), _("The request contains a mistake.")),
    403: ErrorText("denied", _("This is not allowed"), _("You do not have the rights for this.")),
    404: ErrorText("not_found", _("Nothing found"), _("There is nothing at this address.")),
    405: ErrorText(
        "method", _("This cannot be done here"), _("This address does not accept that kind of request.")
    ),
    408: ErrorText(
        "slow", _("That took too long"), _("The request did not arrive in time. Please try again.")
    ),
    409: ErrorText(
        "conflict",
        _("This has changed since you opened it"),
        _("Load the page again to see how it stands now."),
    ),
    413: ErrorText("too_large", _("That is too large"), _("The data sent is larger than allowed.")),
    414: ErrorText(
        "too_long", _("This address is too long"), _("Open the link exactly as you were given it.")
    ),
    415: ErrorText(
        "media_type",
        _("This kind of data is not accepted here"),
        _("Go back, load the page again and try again."),
    ),
    429: ErrorText(
        "throttled",
        _("One moment, please"),
        _("Too many requests came from your network. Wait a moment, then load the page again."),
    ),
    500: ErrorText(
        "failed",
        _("Something went wrong on our side"),
        _("It has been recorded and will be looked at. Please try again in a little while."),
    ),
    503: ErrorText(
        "unavailable",
        _("Back in a moment"),
        _("The page cannot be shown right now. Please try again in a moment."),
    ),
}
# People cause these errors by accident and can correct them.
_RELOAD: Final = _(
    "Go back, load the page again and send the form once more. Your browser must accept cookies for it."
)
_FORM_TEXTS: Final = {
    "form.token": ErrorText("denied", _("This form can no longer be sent"), _RELOAD),
    "form.origin": ErrorText(
        "denied",
        _("This form was sent from another site"),
        _("Open the page itself and send the form from there."),
    ),
}


class UnknownHost(Missing):
    """The host belongs to no surface and no workspace."""

    def __init__(self) -> None:
        super().__init__("host.unknown", "There is nothing at this address.")


@dataclass(frozen=True, slots=True)
class ErrorDescription:
    """What a response shows of an exception. `code` is the stable code, `request_id` is set for a 500 only."""

    status: int
    text: ErrorText
    code: str
    headers: Mapping[str, str]
    request_id: str

    @classmethod
    def from_error(
        cls, error: Exception, request_id: str, texts: Mapping[int, ErrorText]
    ) -> ErrorDescription:
        """Describe a PortalError or an HTTPException; anything else is a 500.

        A 404 never says why something is missing: all of them are the same response.
        """
        status, headers = _find_status(error)
        own_code = error.code if isinstance(error, PortalError) and status != 404 else ""
        text = _FORM_TEXTS.get(own_code, texts[status])
        return cls(status, text, own_code or f"http.{text.key}", headers, request_id if status == 500 else "")


class ErrorRenderer(Protocol):
    """Renders the errors of one surface; an exception handler of its Litestar application."""

    def __call__(self, request: GatewayRequest, error: Exception, /) -> Response[Any]:
        """Return the response to an exception."""
        ...


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """What `not_found.html.jinja` and `error.html.jinja` print. It belongs to no workspace and needs no nonce.

    `key` is the stable code without its prefix, `request_id` is empty where the page must be the same bytes for
    everybody. With `offers_links` Not Found has the form that asks for a fresh link.
    """

    language: str
    direction: str
    status: int
    key: str
    title: str
    text: str
    request_id: str
    offers_links: bool


class ErrorPages:
    """Renders errors as pages without a workspace's brand, and as problem documents for programs."""

    def __init__(self, templates: Templates, problems: Problems, *, offers_links: bool = False) -> None:
        """Use the texts of `problems`; `offers_links` where the surface has links that can be sent anew."""
        self._templates = templates
        self._offers_links = offers_links
        self._problems = problems
        self._render_cached_page = lru_cache(maxsize=256)(self._render_page)

    def __call__(self, request: GatewayRequest, error: Exception, /) -> Response[Any]:
        """Return the page, or the problem document where the client or the route asks for JSON."""
        description = self._problems.describe(request, error)
        if str(request.scope.get("path_template", "")).endswith(".json") or prefers_json(
            request.get_header("accept")
        ):
            return self._problems.render(request, description, {"vary": "accept, accept-language, cookie"})
        return self.render(request, description)

    def render(self, request: GatewayRequest, description: ErrorDescription) -> Response[bytes]:
        """Return the page of an error."""
        # A page with a request id is different each time.
        render = self._render_page if description.request_id else self._render_cached_page
        return Response(
            render(description.status, description.text, request.language, description.request_id),
            status_code=description.status,
            media_type=MediaType.HTML,
            headers={
                **description.headers,
                "content-security-policy": STATIC_POLICY,
                "vary": "accept, accept-language, cookie",
            },
        )

    def _render_page(self, status: int, text: ErrorText, language: str, request_id: str) -> bytes:
        words = load_words(language)
        page = ErrorPage(
            language=language,
            direction=words.direction,
            status=status,
            key=text.key,
            title=words.gettext(text.title),
            text=words.gettext(text.text),
            request_id=request_id,
            offers_links=self._offers_links,
        )
        name = "not_found.html.jinja" if status == 404 else "error.html.jinja"
        return self._templates.render(name, words, page).encode()


class Problems:
    """Renders errors as problem documents (RFC 9457); their type is `https://<api host>/problems/<code>`."""

    def __init__(self, settings: Settings, texts: Mapping[int, ErrorText] = TEXTS) -> None:
        """Use `texts`; the base URL of the types comes from the settings and is the same on every host."""
        self._base = settings.build_public_url(settings.api_host, "/problems/")
        self._texts = texts

    def describe(self, request: GatewayRequest, error: Exception) -> ErrorDescription:
        """Describe an exception for a response, and log it."""
        description = ErrorDescription.from_error(error, request.context.request_id, self._texts)
        log_failure(error, description.status)
        return description

    def __call__(self, request: GatewayRequest, error: Exception, /) -> Response[Any]:
        """Return the problem document of an exception."""
        return self.render(request, self.describe(request, error), {"vary": "accept-language"})

    def render(
        self, request: GatewayRequest, description: ErrorDescription, headers: Mapping[str, str]
    ) -> Response[bytes]:
        """Return the problem document of an error, in the client's language."""
        words = load_words(request.language)
        problem: dict[str, object] = {
            "type": self._base + description.code,
            "title": words.gettext(description.text.title),
            "status": description.status,
            "detail": words.gettext(description.text.text),
            "code": description.code,
        }
        if description.request_id:
            problem["request_id"] = description.request_id
        return Response(
            msgspec.json.encode(problem),
            status_code=description.status,
            media_type=PROBLEM,
            headers={**description.headers, "content-security-policy": DATA_POLICY, **headers},
        )


def render_status(request: GatewayRequest, error: Exception, /) -> Response[Any]:
    """Return the status of an error without a body, for clients that read nothing else."""
    description = ErrorDescription.from_error(error, request.context.request_id, TEXTS)
    log_failure(error, description.status)
    status, headers = description.status, description.headers
    return Response(b"", status_code=status, media_type=MediaType.TEXT, headers=headers)


def render_nothing(_request: GatewayRequest, _error: ClientDisconnected, /) -> Response[Any]:
    """Return the response to a client that is gone; the middleware counts it and does not send it."""
    return Response(b"", status_code=CLIENT_CLOSED_REQUEST, media_type=MediaType.TEXT)


def format_retry_after(seconds: float) -> str:
    """Return the value of Retry-After: whole seconds, at least one."""
    return str(max(1, math.ceil(seconds)))


def read_retry_after(error: PortalError, default: float) -> float:
    """Return the seconds after which a client may retry; `default` when the error does not say."""
    seconds = error.data.get("retry_after_s")
    return float(seconds) if isinstance(seconds, int | float) else default


def log_failure(error: Exception, status: int) -> None:
    """Log a 500 with its traceback and a 503 in one line; other statuses are not logged."""
    if status == 500:
        _log.error("failed", exc_info=error)
    elif status == 503:
        _log.warning("unavailable", code=getattr(error, "code", ""), reason=str(error))


def _find_status(error: Exception) -> tuple[int, Mapping[str, str]]:
    if isinstance(error, PortalError):
        status = STATUS[error.kind]
        if status in {429, 503}:
            return status, {"retry-after": format_retry_after(read_retry_after(error, RETRY_AFTER_S))}
        return status, {}
    if isinstance(error, HTTPException):
        # A status without a text becomes 400 or 500.
        fallback = 400 if error.status_code < 500 else 500
        return error.status_code if error.status_code in TEXTS else fallback, error.headers or {}
    return 500, {}
