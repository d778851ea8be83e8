"""Requests and answers of the sandbox, and which function answers which."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

#: What a browser may fetch from the sandbox's own pages; the frame is shown on the pages of any portal.
PAGE_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:; "
    "form-action *; base-uri 'none'"
)
_KEY: Final = re.compile(r"[^\[\]]+|\[\]")


@dataclass(frozen=True, slots=True)
class Call:
    """A request, with its parameters decoded."""

    method: str
    path: str
    parameters: dict[str, Any] = field(default_factory=dict)
    """The query, and over it the form or the JSON of the body."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in small letters."""
    base_url: str = ""

    @property
    def account_id(self) -> str:
        """The connected account that the call is for; empty for the platform's own."""
        return self.headers.get("stripe-account") or self.headers.get("stripe-context") or ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: JSON for a dictionary, a page for a text."""

    body: dict[str, Any] | str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = ""
    is_dropped: bool = False
    """Whether the connection ends instead, without the answer."""

    def encode(self) -> tuple[bytes, list[tuple[str, str]]]:
        """Return the bytes and all headers."""
        is_page = isinstance(self.body, str)
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        kind = self.content_type or ("text/html; charset=utf-8" if is_page else "application/json")
        headers = [
            ("content-type", kind),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ]
        has_policy = any(name == "content-security-policy" for name, _ in self.headers)
        if kind.startswith("text/html") and not has_policy:
            headers.append(("content-security-policy", PAGE_CSP))
        return text.encode(), [*headers, *self.headers]


#: Answers a call; the texts are what the variable parts of the path hold.
answer_call = Callable[..., Answer | Awaitable[Answer]]


def redirect(url: str) -> Answer:
    """Return the answer that leads a browser elsewhere after a form."""
    return Answer("", status=303, headers=(("location", url),))


class Router:
    """The routes of a part of the sandbox."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], answer_call]] = []

    def add(self, method: str, template: str, handler: answer_call) -> None:
        """Let a function answer a method and path, such as `/v1/refunds/{refund}`; its parts are passed by name."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        self._routes.append((method, re.compile(pattern), handler))

    def find(self, method: str, path: str) -> tuple[answer_call, dict[str, str]] | None:
        """Return who answers, with the variable parts of the path; None when nobody does."""
        for known, pattern, handler in self._routes:
            found = pattern.fullmatch(path) if known == method else None
            if found is not None:
                return handler, found.groupdict()
        return None


def decode_pairs(text: str) -> dict[str, Any]:
    """Decode a query or form with Stripe's nested names: `a[b][0]=c` is {"a": {"b": ["c"]}}."""
    decoded: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        *parents, last = _KEY.findall(name) or [name]
        place = decoded
        for parent in parents:
            inner = place.setdefault(parent, {})
            if not isinstance(inner, dict):
                break
            place = inner
        place[str(len(place)) if last == "[]" else last] = value
    return {name: _read_lists(value) for name, value in decoded.items()}


def _read_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = {name: _read_lists(one) for name, one in value.items()}
    return list(items.values()) if items and _is_sequence(items) else items


def _is_sequence(names: Iterable[str]) -> bool:
    return all(name == str(number) for number, name in enumerate(names))
