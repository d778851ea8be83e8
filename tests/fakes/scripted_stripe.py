"""A server that answers as Stripe does, one scripted answer after the other, for what only the wire shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from kernel.stripe_settings import StripeSettings


@dataclass(slots=True)
class Answer:
    """One response; one that is dropped ends the connection after the request was read."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    is_dropped: bool = False


@dataclass(slots=True)
class Request:
    """What a client sent; header names in small letters."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class ScriptedServer:
    """Gives the next answer to each request, and the last one ever after; or what `answer` is set to make of it."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.answer: Callable[[Request], Answer] = lambda _: (
            self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        )
        self.requests: list[Request] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, path, _ = first.split(" ")
            self.requests.append(Request(method, path, headers, body.decode()))
            answer = self.answer(self.requests[-1])
            if not answer.is_dropped:
                content = json.dumps(answer.body).encode()
                extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
                writer.write(
                    f"HTTP/1.1 {answer.status} X\r\ncontent-type: application/json\r\nconnection: close\r\n"
                    f"content-length: {len(content)}\r\n{extra}\r\n".encode()
                    + content
                )
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def open_scripted_server() -> AsyncIterator[ScriptedServer]:
    """Serve on a free port of loopback."""
    scripted_server = ScriptedServer()
    server = await asyncio.start_server(scripted_server.handle, "127.0.0.1", 0)
    scripted_server.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield scripted_server
    server.close()
    await server.wait_closed()


def build_settings(api_url: str) -> StripeSettings:
    """Settings with test keys for a server on loopback."""
    return StripeSettings(
        secret_key="sk_test_portaltests",
        publishable_key="pk_test_portaltests",
        is_live=False,
        account_webhook_secrets=("whsec_account",),
        connect_webhook_secrets=("whsec_connect",),
        api_url=api_url,
        script_url=f"{api_url}/stripe.js",
    )
