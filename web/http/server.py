"""How uvicorn serves the gateway: bounded connections, our own log lines, a graceful shutdown."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import uvicorn

from web.http.connections import ConnectionLimiter
from web.http.protocol import BOUNDS, BoundedProtocol, Bounds
from web.http.security import DATA_POLICY, build_security_headers, encode_headers

if TYPE_CHECKING:
    import socket
    from collections.abc import Generator

    from kernel.settings import Settings

# Kubernetes sends SIGKILL 30 s after SIGTERM; requests still in flight then are cut off anyway.
GRACE_S: Final = 20
KEEP_ALIVE_S: Final = 75
BACKLOG: Final = 2048


class Application(Protocol):
    """The ASGI application that is served."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one ASGI connection."""

    def drain(self) -> None:
        """End the waiting of requests."""

    def count_refusal(self, status: int) -> None:
        """Count a connection or head that the server refused with this status."""


class Server(uvicorn.Server):
    """Uvicorn that leaves the signals to the process and lets no request wait once it is to end."""

    def __init__(self, gateway: Application, settings: Settings, *, bounds: Bounds = BOUNDS) -> None:
        """Serve `gateway` on the host and port of the settings."""
        super().__init__(configuration(gateway, settings, bounds))
        self._gateway = gateway

    async def find_failure(self) -> str | None:
        """Return why the pages are not served yet, None once the port is open; a readiness check."""
        return None if self.started else "is starting"

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handle no signals: `kernel.process` does."""
        yield

    def abort(self) -> None:
        """Cut off the requests in flight and end at once."""
        self.force_exit = True
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port; OSError when it is taken."""
        try:
            await super().startup(sockets)
        except SystemExit as error:
            # Uvicorn handles the OSError by ending the process.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the requests in flight, then end."""
        self._gateway.drain()
        await super().shutdown(sockets)


def configuration(gateway: Application, settings: Settings, bounds: Bounds) -> uvicorn.Config:
    """Return the server's settings: the log lines and headers are the gateway's own, not uvicorn's."""
    protocol: Any = partial(
        BoundedProtocol,
        bounds=bounds,
        limiter=ConnectionLimiter(
            bounds.connections,
            per_address=bounds.connections_per_address,
            trusted_proxies=settings.trusted_proxies,
        ),
        security_headers=encode_headers(
            build_security_headers(settings, takes_payments=False) | {"content-security-policy": DATA_POLICY}
        ),
        count_refusal=gateway.count_refusal,
    )
    return uvicorn.Config(
        gateway,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # The middleware reads X-Forwarded-For itself, and only from trusted proxies.
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
