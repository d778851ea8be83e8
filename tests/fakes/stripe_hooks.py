"""A receiver of the Stripe sandbox's deliveries, which believes what the real SDK believes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import stripe

from ops.sandbox.stripe.asgi import serve


@dataclass(frozen=True)
class Received:
    """One delivery."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The event in it."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded

    def is_signed_by(self, secret: str) -> bool:
        """Tell whether the SDK takes the signature, which must not be older than 5 minutes."""
        try:
            stripe.WebhookSignature.verify_header(
                self.body.decode(), self.headers["stripe-signature"], secret, 300
            )
        except stripe.SignatureVerificationError:
            return False
        return True


@dataclass
class HookReceiver:
    """Takes deliveries; `answers` are the statuses of the next ones, 200 when there are no more."""

    base_url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]
    ) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        self.received.append(Received(scope["path"], headers, body))
        status = self.answers.pop(0) if self.answers else 200
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        async with self._came:
            self._came.notify_all()

    async def wait(self, count: int) -> None:
        """Wait until so many deliveries have come."""
        async with asyncio.timeout(30), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)

    def list_types(self) -> Sequence[str]:
        """Return the types of what came, in its order."""
        return [one.event["type"] for one in self.received]


@asynccontextmanager
async def open_receiver() -> AsyncIterator[HookReceiver]:
    """Serve a receiver on a loopback port."""
    receiver = HookReceiver()
    async with serve(receiver) as url:
        receiver.base_url = url
        yield receiver
