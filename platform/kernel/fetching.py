"""Fetches URLs that come from users, from the public internet only (protects against SSRF)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, cast

import httpcore

from kernel.addresses import DEFAULT_PORTS, IPAddress, is_public, normalize_url, refuse_url
from kernel.errors import Invalid, PortalError, Unavailable

if TYPE_CHECKING:
    from httpcore import SOCKET_OPTION, AsyncNetworkStream, Response

MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = (301, 302, 303, 307, 308)
# Statuses for which another attempt may succeed.
_TEMPORARY_STATUSES: Final = (408, 425, 429, *range(500, 600))
_CONNECT_S: Final = 5.0
_READ_S: Final = 5.0

Resolve = Callable[[str, int], Awaitable[Collection[IPAddress]]]


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """At most `max_bytes` of content within `timeout_s` seconds, redirects included."""

    max_bytes: int
    timeout_s: float = 20.0


async def resolve_host(host: str, port: int) -> list[IPAddress]:
    """Return all addresses of a host from the system's resolver; OSError if there are none."""
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in infos]


class Fetcher:
    """Sends GET requests without cookies, proxy or credentials, and without reading the environment.

    Each connection resolves its host once, all addresses must be allowed, and the connection is made to one of them:
    DNS rebinding has no effect.
    """

    def __init__(
        self,
        limits: FetchLimits,
        *,
        resolve: Resolve = resolve_host,
        is_allowed: Callable[[IPAddress], bool] = is_public,
        ports: Collection[int] = frozenset(DEFAULT_PORTS.values()),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Set the limits; only tests replace the other defaults, which are the safe ones."""
        self._limits = limits
        self._guarded_backend = _GuardedBackend(resolve, is_allowed, ports)
        self._tls = tls

    async def fetch(self, url: str) -> bytes:
        """Return the content of a URL, following up to three redirects, each checked like the first.

        Raises Invalid: "url.refused" (the URL or a redirect may not be fetched), "fetch.refused" (an error status, a
        bad redirect or a compressed body), "fetch.too_large". Unavailable("fetch.failed"): another attempt may succeed.
        """
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                return await self._follow_redirects(normalize_url(url))
        except TimeoutError:
            raise _make_failed(f"It took longer than {self._limits.timeout_s:g} s.") from None
        except PortalError:
            raise
        except (httpcore.TimeoutException, httpcore.NetworkError, OSError) as error:
            raise _make_failed(
                f"The server cannot be reached: {str(error) or type(error).__name__}."
            ) from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise _make_failed("The server does not speak HTTP.") from error

    async def _follow_redirects(self, url: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            # A pool for each redirect: no connection is reused.
            async with (
                httpcore.AsyncConnectionPool(
                    ssl_context=self._tls, network_backend=self._guarded_backend, max_keepalive_connections=0
                ) as pool,
                pool.stream("GET", url, headers=_HEADERS, extensions=_TIMEOUTS) as response,
            ):
                if response.status not in _REDIRECTS:
                    return await self._read_content(response)
                target = _find_header(response, b"location")
            if not target:
                raise Invalid("fetch.refused", "The server sends a redirect without a target.")
            url = normalize_url(target, base=url)
        raise Invalid("fetch.refused", f"The server redirects more than {MAX_REDIRECTS} times.")

    async def _read_content(self, response: Response) -> bytes:
        if response.status in _TEMPORARY_STATUSES:
            raise _make_failed(f"The server answers {response.status}.")
        if response.status != 200:
            raise Invalid("fetch.refused", f"The server answers {response.status}.", status=response.status)
        # The request did not accept compression; unpacking could exceed the size limit.
        if _find_header(response, b"content-encoding").lower() not in {"", "identity"}:
            raise Invalid(
                "fetch.refused", "The server compresses its answer although the request forbids it."
            )
        declared_length = _find_header(response, b"content-length")
        if declared_length.isdigit() and int(declared_length) > self._limits.max_bytes:
            raise self._make_too_large()
        content = bytearray()
        async for part in response.aiter_stream():
            content += part
            if len(content) > self._limits.max_bytes:
                raise self._make_too_large()
        return bytes(content)

    def _make_too_large(self) -> Invalid:
        limit = self._limits.max_bytes
        return Invalid("fetch.too_large", f"The answer is larger than {limit // 1024} KiB.", max_bytes=limit)


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to allowed addresses and ports, to the address that was checked."""

    def __init__(
        self, resolve: Resolve, is_allowed: Callable[[IPAddress], bool], ports: Collection[int]
    ) -> None:
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._ports = ports
        # Typed as its base class: without anyio httpcore exports a stub under this name.
        self._backend = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  -- the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        if port not in self._ports:
            raise refuse_url("Only the ports 80 and 443 are allowed.")
        addresses = await self._resolve(host, port)
        if not addresses:
            raise _make_failed("The host has no address.")
        if not all(map(self._is_allowed, addresses)):
            # The error does not name the address: it would help to map the internal network.
            raise refuse_url("Its host is not on the public internet.")
        failure: Exception | None = None
        for address in list(addresses)[:3]:
            try:
                return await self._backend.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or AssertionError


_HEADERS: Final[dict[bytes | str, bytes | str]] = {
    "User-Agent": "invoice-portal",
    "Accept": "image/png, image/jpeg, image/webp, image/gif",
    "Accept-Encoding": "identity",
    "Connection": "close",
}
_TIMEOUTS: Final[dict[str, Any]] = {
    "timeout": {"connect": _CONNECT_S, "read": _READ_S, "write": _READ_S, "pool": _READ_S}
}


def _find_header(response: Response, name: bytes) -> str:
    values = [value for each, value in response.headers if each.lower() == name]
    return values[0].decode("latin-1").strip() if values else ""


def _make_failed(reason: str) -> Unavailable:
    return Unavailable("fetch.failed", reason)
