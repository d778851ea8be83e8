"""A small closed-loop HTTP load generator: keep-alive connections, no pipelining, loopback only."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import httptools
import uvloop


@dataclass(frozen=True, slots=True)
class RepeatedRequest:
    """One request to repeat: where to connect, the Host to name, the path to ask for, and more headers."""

    port: int
    host: str
    path: str
    headers: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the request as it is sent."""
        lines = (f"GET {self.path} HTTP/1.1", f"Host: {self.host}", "Accept: text/html", *self.headers)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of a run of `seconds`: responses, bytes received, and sorted latencies in seconds."""

    responses: int
    received: int
    seconds: float
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Responses a second."""
        return self.responses / self.seconds

    def percentile(self, share: float) -> float:
        """Latency in seconds that `share` (0 to 1) of the responses did not exceed."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


class _Connection(asyncio.Protocol):
    """One keep-alive connection that sends its next request as soon as a response is complete."""

    def __init__(self, requests: Iterator[bytes], deadline: float) -> None:
        self.requests = requests
        self.deadline = deadline
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self.received = 0
        self.sent_at = 0.0
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.send()

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(next(self.requests))

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        status = self.parser.get_status_code()
        if status != 200:
            self.finish(RuntimeError(f"the server answered {status}: nothing was measured"))
            return
        self.latencies.append(now - self.sent_at)
        self.parser = httptools.HttpResponseParser(self)
        if now >= self.deadline:
            self.finish(None)
        else:
            self.send()

    def finish(self, error: Exception | None) -> None:
        self.transport.close()
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.finish(exc or ConnectionError("the server closed the connection in the middle of the run"))


async def _measure(requests: list[RepeatedRequest], seconds: float, connections: int) -> LoadResult:
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    encoded = itertools.cycle([request.encode() for request in requests])
    clients: list[_Connection] = []
    for _ in range(connections):
        _, protocol = await loop.create_connection(
            lambda: _Connection(encoded, started + seconds), "127.0.0.1", requests[0].port
        )
        clients.append(protocol)
    await asyncio.wait_for(asyncio.gather(*(connection.done for connection in clients)), seconds + 30)
    latencies = sorted(itertools.chain.from_iterable(connection.latencies for connection in clients))
    elapsed = time.perf_counter() - started
    received = sum(connection.received for connection in clients)
    return LoadResult(len(latencies), received, elapsed, tuple(latencies))


def measure(requests: Iterable[RepeatedRequest], *, seconds: float, connections: int = 16) -> LoadResult:
    """Ask for the requests in turn from `connections` clients at once; they must share one port.

    Raises RuntimeError when any answer is not 200, so that an error page is never measured as speed.
    """
    return uvloop.run(_measure(list(requests), seconds, connections))
