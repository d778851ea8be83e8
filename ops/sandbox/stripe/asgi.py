"""The HTTP side of the sandbox: reads a request, lets its part answer, and checks both against the contract."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import json
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, MutableMapping
from typing import Any, Final

import uvicorn

from ops.ports import LOOPBACK, find_free_port
from ops.sandbox.stripe.contract import Contract
from ops.sandbox.stripe.refusals import ApiRefusal, refuse_v1, refuse_v2
from ops.sandbox.stripe.routing import Answer, Call, Router, decode_pairs

_API: Final = ("/v1/", "/v2/", "/oauth/token", "/oauth/deauthorize")
_FORM: Final = "application/x-www-form-urlencoded"

receive_message = Callable[[], Awaitable[MutableMapping[str, Any]]]
send_message = Callable[[MutableMapping[str, Any]], Awaitable[None]]
asgi_app = Callable[[MutableMapping[str, Any], receive_message, send_message], Awaitable[None]]
#: Answers a call of the API in place of its part, which it may ask; for faults and replays.
intercept_call = Callable[[Call, Callable[[], Awaitable[Answer]]], Awaitable[Answer]]


class _Server(uvicorn.Server):
    """A server that ends at once: tests open one each, and uvicorn's own looks ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End the server; who waits for an answer gets none."""
        self.should_exit = self.force_exit = True
        self._stopped.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._stopped.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        # Connections are closed in the next turn of the loop.
        await asyncio.sleep(0)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process that the sandbox runs in."""
        yield


@contextlib.asynccontextmanager
async def serve(app: asgi_app, *, port: int | None = None) -> AsyncIterator[str]:
    """Serve an application on a loopback port, in this event loop; yields its address."""
    port = port or find_free_port()
    config = uvicorn.Config(app, host=LOOPBACK, port=port, log_config=None, lifespan="off", ws="none")
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.005)
        yield f"http://{LOOPBACK}:{port}"
    finally:
        server.stop()
        await task


class SandboxApp:
    """An ASGI application over the parts of the sandbox."""

    def __init__(
        self, routers: Iterable[Router], *, contract: Contract, intercept: intercept_call | None = None
    ) -> None:
        self._routers = tuple(routers)
        self._contract = contract
        self._intercept = intercept

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: receive_message, send: send_message
    ) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        call = await _read_call(scope, receive)
        if call is None:
            message = "The body is no valid form or JSON, or its text is not UTF-8."
            answer = Answer(refuse_v1(400, None, message).body, 400)
        else:
            answer = await self.answer(call)
        if answer.is_dropped:
            # More is announced than sent, so the server ends the connection.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            return
        body, headers = answer.encode()
        headers += [("content-length", str(len(body))), ("request-id", f"req_{secrets.token_hex(7)}")]
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def answer(self, call: Call) -> Answer:
        """Return the answer to a call."""
        if not call.path.startswith(_API):
            return await self._ask_part(call)
        # Before all else: nobody without a key is told what was answered to another request.
        refusal = _explain_key(call)
        if refusal is not None:
            return Answer(refusal.body, refusal.status)

        async def ask() -> Answer:
            return await self._ask_part(call)

        answer = await (ask() if self._intercept is None else self._intercept(call, ask))
        if isinstance(answer.body, dict):
            self._contract.check_exchange(call.method, call.path, call.parameters, answer.status, answer.body)
        return answer

    async def _ask_part(self, call: Call) -> Answer:
        try:
            for router in self._routers:
                found = router.find(call.method, call.path)
                if found is not None:
                    answer = found[0](call, **found[1])
                    return await answer if inspect.isawaitable(answer) else answer
            message = f"Unrecognized request URL ({call.method}: {call.path})."
            raise refuse_v1(404, None, message)
        except ApiRefusal as refusal:
            # The script of a page reads its refusals, too.
            return Answer(refusal.body, refusal.status, (("access-control-allow-origin", "*"),))


def _explain_key(call: Call) -> ApiRefusal | None:
    """Return why the key of a request is refused; None when it is not."""
    scheme, _, text = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        # The key is the name of the user, and there is no password.
        with contextlib.suppress(ValueError):
            text = base64.b64decode(text).decode().partition(":")[0]
    if text.startswith(("sk_test_", "rk_test_")):
        return None
    message = "The sandbox takes secret test keys only."
    is_v2 = call.path.startswith("/v2/")
    return refuse_v2(401, "invalid_api_key", message) if is_v2 else refuse_v1(401, None, message)


async def _read_call(scope: MutableMapping[str, Any], receive: receive_message) -> Call | None:
    """Read a request; None for a body that cannot be decoded."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    parameters = decode_pairs(scope["query_string"].decode("latin-1"))
    try:
        parameters |= _decode_body(body, headers.get("content-type", "").partition(";")[0])
    except ValueError:
        return None
    host = headers.get("host", "")
    return Call(
        scope["method"], scope["path"], parameters, headers, f"{scope.get('scheme', 'http')}://{host}"
    )


def _decode_body(body: bytes, kind: str) -> dict[str, Any]:
    if kind == _FORM:
        return decode_pairs(body.decode())
    decoded = json.loads(body) if kind == "application/json" and body else {}
    return decoded if isinstance(decoded, dict) else {}
