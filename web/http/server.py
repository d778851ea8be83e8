"""How uvicorn serves the gateway: bounded connections, our own log lines, an orderly end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import uvicorn

from web.http.protocol import BOUNDS, Bounds, Doorkeeper
from web.http.security import STILL_POLICY, always

if TYPE_CHECKING:
    import socket

    from kernel.settings import Settings

# Kubernetes gives 30 s from SIGTERM to SIGKILL; what is not finished by then is cut off anyway.
GRACE_S: Final = 20
KEEP_ALIVE_S: Final = 75
BACKLOG: Final = 2048


class Application(Protocol):
    """The ASGI application that is served."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one ASGI connection."""

    def drain(self) -> None:
        """Report "not ready" and let no request wait any longer."""

    def count_refusal(self, status: int) -> None:
        """Count what the server refused before it was a request."""


class Server(uvicorn.Server):
    """Uvicorn that says "not ready" from the first signal on, so that no more work is sent here."""

    def __init__(self, gateway: Application, settings: Settings, *, bounds: Bounds = BOUNDS) -> None:
        """Serve `gateway` where the settings say."""
        super().__init__(configuration(gateway, settings, bounds))
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is being answered, then end."""
        self._gateway.drain()
        await super().shutdown(sockets)


def configuration(gateway: Application, settings: Settings, bounds: Bounds) -> uvicorn.Config:
    """Return how the gateway is served: its own log lines and headers, nothing of the server's."""
    doorkeeper: Any = partial(
        Doorkeeper,
        bounds=bounds,
        always=(*always(settings), STILL_POLICY),
        refused=gateway.count_refusal,
    )
    return uvicorn.Config(
        gateway,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=doorkeeper,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # The edge reads these headers itself, and only from the networks it was told to trust.
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
