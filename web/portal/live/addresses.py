"""Where the pages of a host find the hubs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kernel.settings import Settings

#: The path of the socket on every hub.
SOCKET_PATH: Final = "/realtime"
# Hosts that are remembered; each costs some hundred bytes.
_CAPACITY: Final = 10_000


@dataclass(frozen=True, slots=True)
class HubAddresses:
    """The hubs of one host. `connect_sources` is what a content security policy allows for them."""

    origin: str
    socket_urls: tuple[str, ...]
    connect_sources: str


class Hubs:
    """Finds the hubs of a host; each is computed once, because every page asks."""

    def __init__(self, settings: Settings) -> None:
        """Read the addresses from the settings."""
        self._settings = settings
        self.find = lru_cache(_CAPACITY)(self._build)

    def _build(self, host: str) -> HubAddresses:
        urls = self._settings.build_realtime_urls(host)
        return HubAddresses(
            origin=self._settings.build_origin(host),
            socket_urls=tuple(url + SOCKET_PATH for url in urls),
            connect_sources=" ".join(urls),
        )
