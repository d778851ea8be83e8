"""The contract: each request, answer and event of the sandbox is what the installed SDK's types say.

The double cannot drift from the pinned API: what it accepts is checked against the SDK's parameters, what it answers
against the SDK's resources. Everything is read on first use and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final, Literal, NotRequired, TypedDict

import stripe
from stripe._error_object import ErrorObject
from stripe._object_classes import OBJECT_CLASSES, V2_OBJECT_CLASSES
from stripe.events._event_classes import get_v2_event_class, get_v2_event_notification_class

from ops.sandbox.stripe.contract_checks import Finding, FindingKind, make_check
from ops.sandbox.stripe.contract_routes import find_route

_ERROR_TYPES: Final = frozenset({"api_error", "card_error", "idempotency_error", "invalid_request_error"})
#: Parameters that the SDK sends and its types leave out: the key again, and the place in a list of v2.
_UNTYPED: Final = (("/oauth/", "client_secret"), ("/v2/", "page"))


class V2Error(TypedDict):
    """The error of a v2 route."""

    type: NotRequired[str]
    code: str
    message: str
    user_message: NotRequired[str]


class OAuthError(TypedDict):
    """The error of an OAuth route (RFC 6749)."""

    error: Literal[
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "unsupported_grant_type",
        "unsupported_response_type",
    ]
    error_description: str


class Contract:
    """Checks what crosses the wire, and keeps what was wrong."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.checked = 0
        """How many requests, answers and events were checked."""

    def check_exchange(
        self, method: str, path: str, parameters: Mapping[str, Any], status: int, body: Any
    ) -> None:
        """Check a request that was answered, and its answer.

        A request that the types do not allow is a violation when it was accepted: Stripe would have refused it.
        """
        found = check_response(method, path, status, body)
        if status < 400:
            found = [*check_request(method, path, parameters), *found]
        self._keep(f"{method} {path} {status}", found)

    def check_delivery(self, body: Any) -> None:
        """Check the body of a delivery to an event destination."""
        self._keep(f"event {body.get('type')}", check_event(body))

    def _keep(self, what: str, found: list[Finding]) -> None:
        self.checked += 1
        self.violations.extend(f"{what}: {finding}" for finding in found)


def check_request(method: str, path: str, parameters: Mapping[str, Any]) -> list[Finding]:
    """Check the decoded parameters of a request: query or form (texts alone), or JSON for a POST to v2."""
    route = find_route(method, path)
    if route is None:
        return [Finding(path, FindingKind.UNKNOWN, f"the SDK has no route {method}")]
    found: list[Finding] = []
    if route.parameters is not None:
        is_form = not (path.startswith("/v2/") and method == "POST")
        sent = dict(parameters)
        for prefix, name in _UNTYPED:
            if path.startswith(prefix) and is_form:
                sent.pop(name, None)
        make_check(route.parameters, is_form=is_form)(sent, "", found)
    elif parameters:
        found.append(Finding("", FindingKind.UNKNOWN, "the route takes no parameters"))
    return found


def check_response(method: str, path: str, status: int, body: Any) -> list[Finding]:
    """Check the decoded body of an answer."""
    if status >= 400:
        return _check_error(path, body)
    route = find_route(method, path)
    if route is None:
        return [Finding(path, FindingKind.UNKNOWN, f"the SDK has no route {method}")]
    if not (path.startswith("/v2/core/events") and isinstance(body, dict)):
        return _check(route.response, body)
    # Each type of event has a class of its own, which the types of the route do not say.
    if "data" not in body or not isinstance(body["data"], list):
        return _check_v2_event(get_v2_event_class, body)
    found = [finding for event in body["data"] for finding in _check_v2_event(get_v2_event_class, event)]
    return found + _check(route.response, {**body, "data": []})


def check_event(body: Any) -> list[Finding]:
    """Check a snapshot event of v1, with the object in it, or a thin event of v2."""
    if not isinstance(body, dict):
        return [Finding("", FindingKind.WRONG_TYPE, "no object")]
    if body.get("object") == "v2.core.event":
        return _check_v2_event(get_v2_event_notification_class, body)
    found = _check(stripe.Event, body)
    inner = body.get("data", {}).get("object")
    return found + [Finding(f"data[object] {one.path}", one.kind, one.message) for one in check_object(inner)]


def check_object(body: Any) -> list[Finding]:
    """Check an object of v1 or v2 by the name in its field `object`."""
    name = body.get("object") if isinstance(body, dict) else None
    place = (V2_OBJECT_CLASSES | OBJECT_CLASSES).get(str(name))
    if place is None:
        return [Finding("object", FindingKind.NOT_IN_ENUM, f"{name!r} is no object of the SDK")]
    return _check(getattr(import_module(place[0]), place[1]), body)


def _check(kind: Any, body: Any) -> list[Finding]:
    found: list[Finding] = []
    make_check(kind, is_form=False)(body, "", found)
    return found


def _check_v2_event(find_class: Callable[[str], Any], body: dict[str, Any]) -> list[Finding]:
    kind = find_class(str(body.get("type")))
    if not hasattr(kind, "LOOKUP_TYPE"):
        return [Finding("type", FindingKind.NOT_IN_ENUM, f"{body.get('type')!r} is no event of the SDK")]
    return _check(kind, body)


def _check_error(path: str, body: Any) -> list[Finding]:
    if path.startswith("/oauth/"):
        return _check(OAuthError, body)
    error = body.get("error") if isinstance(body, dict) and len(body) == 1 else None
    if not isinstance(error, dict):
        return [Finding("error", FindingKind.MISSING, "is missing")]
    if path.startswith("/v2/"):
        return _check(V2Error, error)
    found = _check(ErrorObject, error)
    if error.get("type") not in _ERROR_TYPES:
        found.append(Finding("type", FindingKind.NOT_IN_ENUM, f"{error.get('type')!r} is no type of errors"))
    return found
