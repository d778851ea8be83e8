"""A whole answer, ready to send; the edge adds the headers that every answer carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from web.http.security import Header


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body; an ASGI application itself, which is what handlers give to the framework."""

    status: int
    headers: tuple[Header, ...]
    body: bytes = b""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002  -- the names are ASGI's
        """Send the answer; a 304 has neither body nor length (RFC 9110, 15.4.5)."""
        headers = self.headers
        if self.status != 304:
            headers = (*headers, (b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})
