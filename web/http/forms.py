"""Form posts: a token bound to the browser's session, and the origin that the browser names."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from litestar.enums import RequestEncodingType, ScopeType

from kernel.errors import Denied
from kernel.ids import new_secret
from web.http.bodies import require_media_type
from web.http.context import GatewayRequest
from web.http.hosts import canonicalize_host

if TYPE_CHECKING:
    from litestar.handlers.base import BaseRouteHandler

    from kernel.seals import Sealer
    from kernel.settings import Settings
    from web.http.bodies import AnyConnection, Guard
    from web.http.context import RequestContext
    from web.http.sessions import Session

FIELD: Final = "form_token"
#: The handler's `opt` key that names what its form is for; a token of another purpose is refused.
PURPOSE: Final = "form_purpose"
#: The handler's `opt` key of a route that shows again what was typed when its form is refused: the handler is called
#: and must answer with `request.form_refusal`.
KEEPS_TEXT: Final = "form_keeps_text"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HASH_PURPOSE: Final = "form-token"
_BYTES: Final = 32
_PORTS: Final = {"http": 80, "https": 443}

require_form = require_media_type(RequestEncodingType.URL_ENCODED)


class FormTokens:
    """Issues and checks form tokens: HMAC(key, host, workspace, purpose, session), masked anew in each response.

    A token of another session, host, workspace or purpose fails. The mask keeps the compressed size of a page from
    leaking the token (BREACH).
    """

    def __init__(self, sealer: Sealer, settings: Settings) -> None:
        """Issue tokens with the sealer's current secret; accept those of every secret."""
        self._sealer = sealer
        self._scheme = settings.public_scheme

    def issue(self, context: RequestContext, session: Session, purpose: str) -> str:
        """Return a token for one form of the page that this response carries."""
        mask = new_secret(_BYTES)
        value = self._sealer.compute_hash(_HASH_PURPOSE, _build_message(context, session, purpose))
        return urlsafe_b64encode(mask + _xor(mask, value)).rstrip(b"=").decode()

    def is_valid(self, token: str, context: RequestContext, session: Session, purpose: str) -> bool:
        """Tell whether a token was issued for this form, session, host and workspace."""
        try:
            masked = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return False
        value = _xor(masked[:_BYTES], masked[_BYTES:])
        known = self._sealer.compute_hashes(_HASH_PURPOSE, _build_message(context, session, purpose))
        return len(masked) == 2 * _BYTES and any(hmac.compare_digest(value, each) for each in known)

    def make_guard(self) -> Guard:
        """Return the guard of routes that take form posts.

        Denied("form.origin") for a request that another site made, Denied("form.token") without a valid token;
        HTTPException 415 for a body that is no form.
        """

        async def check_form(connection: AnyConnection, handler: BaseRouteHandler) -> None:
            if connection.scope["type"] == ScopeType.HTTP and connection.scope["method"] in SAFE_METHODS:
                return
            if not isinstance(connection, GatewayRequest):
                raise _make_foreign()
            refusal = None if self._is_same_origin(connection) else _make_foreign()
            if refusal is None or KEEPS_TEXT in handler.opt:
                await require_form(connection, handler)
                tokens = (await connection.form()).getall(FIELD, [])
                refusal = refusal or self._find_refusal(tokens, connection, handler.opt[PURPOSE])
            if refusal is not None:
                if KEEPS_TEXT not in handler.opt:
                    raise refusal
                connection.refuse_form(refusal)

        return check_form

    def make_origin_guard(self) -> Guard:
        """Return the guard of forms that use no right of the visitor and no cookie: another site gains nothing by them.

        They have no token; Denied("form.origin") as for other forms.
        """

        async def check_origin(connection: AnyConnection, _handler: BaseRouteHandler) -> None:
            if connection.scope["type"] == ScopeType.HTTP and connection.scope["method"] in SAFE_METHODS:
                return
            if not isinstance(connection, GatewayRequest) or not self._is_same_origin(connection):
                raise _make_foreign()

        return check_origin

    def _find_refusal(self, tokens: list[str], request: GatewayRequest, purpose: str) -> Denied | None:
        is_valid = len(tokens) == 1 and self.is_valid(
            tokens[0], request.context, request.browser_session, purpose
        )
        text = "The form has expired, or the browser did not send its cookie."
        return None if is_valid else Denied("form.token", text)

    def _is_same_origin(self, request: GatewayRequest) -> bool:
        """Check Sec-Fetch-Site and Origin. A client that sends neither is no current browser: the token decides."""
        site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
        if site is not None and site != "same-origin":
            return False
        return origin is None or _names_same_host(origin, self._scheme, request)


def _make_foreign() -> Denied:
    return Denied("form.origin", "The form was sent from another site.")


def _names_same_host(origin: str, scheme: str, request: GatewayRequest) -> bool:
    try:
        sent, host = urlsplit(origin), urlsplit(f"//{request.headers.get('host', '')}")
        same_port = (sent.port or _PORTS[scheme]) == (host.port or _PORTS[scheme])
    except ValueError:
        return False
    return (
        sent.scheme == scheme and same_port and canonicalize_host(sent.hostname or "") == request.context.host
    )


def _build_message(context: RequestContext, session: Session, purpose: str) -> bytes:
    workspace = "" if context.profile is None else context.profile.workspace_id.hex
    return f"{context.host}\0{workspace}\0{purpose}\0{session.value}".encode()


def _xor(one: bytes, other: bytes) -> bytes:
    """Combine two values; of a longer one the rest is left out."""
    size = min(len(one), len(other))
    return (int.from_bytes(one[:size]) ^ int.from_bytes(other[:size])).to_bytes(size)
