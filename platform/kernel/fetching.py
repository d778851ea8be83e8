"""Fetches what a stranger's URL names, from the public internet only, without trusting anything on the way."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, cast

import httpcore

from kernel.addresses import DEFAULT_PORTS, IPAddress, is_public, normalize_url
from kernel.errors import Invalid, PortalError, Unavailable

if TYPE_CHECKING:
    from httpcore import SOCKET_OPTION, AsyncNetworkStream, Response

MAX_REDIRECTS: Final = 3
_REDIRECTS: Final = (301, 302, 303, 307, 308)
# An answer that another attempt may change.
_TEMPORARY_STATUSES: Final = (408, 425, 429, *range(500, 600))
_CONNECT_S: Final = 5.0
_READ_S: Final = 5.0

Resolve = Callable[[str, int], Awaitable[Collection[IPAddress]]]


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What is enough: `max_bytes` of content, `timeout_s` seconds for all of it, redirects included."""

    max_bytes: int
    timeout_s: float = 20.0


async def resolve_host(host: str, port: int) -> list[IPAddress]:
    """Return all addresses of a host, as the machine finds them; OSError when there are none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(address[0]) for *_, address in found]


class Fetcher:
    """Gets one URL at a time: no cookies, no proxy, no credentials, nothing of the environment.

    Each name is resolve_host once for each connection, all its addresses must be allowed, and the connection is made to
    one of those: a name that answers differently the next time is never asked again.
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
        """Take the limits; all else has its only safe value already, and is given by tests alone."""
        self._limits = limits
        self._guarded_backend = _GuardedBackend(resolve, is_allowed, ports)
        self._tls = tls

    async def fetch(self, url: str) -> bytes:
        """Return the content of a URL, following up to three redirects, each checked like the first.

        Invalid: "url.refused" (what may not be asked, redirects included), "fetch.refused" (an answer that is
        none, or compressed), "fetch.too_large". Unavailable("fetch.failed"): it may go better another time.
        """
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                return await self._follow_redirects(normalize_url(url))
        except TimeoutError:
            raise _failed(f"It took longer than {self._limits.timeout_s:g} s.") from None
        except PortalError:
            raise
        except (httpcore.TimeoutException, httpcore.NetworkError, OSError) as error:
            raise _failed(f"The server cannot be reached: {str(error) or type(error).__name__}.") from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise _failed("The server does not speak HTTP.") from error

    async def _follow_redirects(self, url: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            # A pool of its own for each hop: no connection is used twice.
            async with (
                httpcore.AsyncConnectionPool(
                    ssl_context=self._tls, network_backend=self._guarded_backend, max_keepalive_connections=0
                ) as pool,
                pool.stream("GET", url, headers=_HEADERS, extensions=_TIMEOUTS) as response,
            ):
                if response.status not in _REDIRECTS:
                    return await self._read_content(response)
                target = _header(response, b"location")
            if not target:
                raise Invalid("fetch.refused", "The server redirects to nowhere.")
            url = normalize_url(target, base=url)
        raise Invalid("fetch.refused", f"The server redirects more than {MAX_REDIRECTS} times.")

    async def _read_content(self, response: Response) -> bytes:
        if response.status in _TEMPORARY_STATUSES:
            raise _failed(f"The server answers {response.status}.")
        if response.status != 200:
            raise Invalid("fetch.refused", f"The server answers {response.status}.", status=response.status)
        # It was asked for none; unpacking is how little becomes much.
        if _header(response, b"content-encoding").lower() not in {"", "identity"}:
            raise Invalid("fetch.refused", "The server compresses its answer although it was asked not to.")
        said = _header(response, b"content-length")
        if said.isdigit() and int(said) > self._limits.max_bytes:
            raise self._too_large()
        content = bytearray()
        async for part in response.aiter_stream():
            content += part
            if len(content) > self._limits.max_bytes:
                raise self._too_large()
        return bytes(content)

    def _too_large(self) -> Invalid:
        most = self._limits.max_bytes
        return Invalid("fetch.too_large", f"The answer is larger than {most // 1024} KiB.", most=most)


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects only where that is allowed, to the very address that was looked at."""

    def __init__(
        self, resolve: Resolve, is_allowed: Callable[[IPAddress], bool], ports: Collection[int]
    ) -> None:
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._ports = ports
        # Without anyio httpcore has another class of this name, which only says so.
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
            raise _forbidden("Only the ports 80 and 443 are asked.")
        addresses = await self._resolve(host, port)
        if not addresses:
            raise _failed("The host has no address.")
        if not all(map(self._is_allowed, addresses)):
            # Which one is not said: the answer would map a network that is not the asker's.
            raise _forbidden("Its host is not on the public internet.")
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


def _header(response: Response, name: bytes) -> str:
    found = [value for each, value in response.headers if each.lower() == name]
    return found[0].decode("latin-1").strip() if found else ""


def _forbidden(why: str) -> Invalid:
    return Invalid("url.refused", f"This address cannot be fetched. {why}")


def _failed(why: str) -> Unavailable:
    return Unavailable("fetch.failed", why)
