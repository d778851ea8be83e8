"""The whole page as everybody sees it who has not signed in and has written nothing: one cached section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from web.http.lru import MEBIBYTE, SharedCache
from web.http.sections import Section
from web.portal.page_sections import THREAD_LINK_SLOT
from web.portal.thread.composer import Writer, make_composer_key

if TYPE_CHECKING:
    from kernel.live import Cursor
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.values import InvoiceAccess
    from tenants.workspaces.authority import WriteAuthority
    from web.portal.page_sections import InvoiceSections, PageKey, PageParts
    from web.portal.thread.composer import Composers
    from web.portal.thread.threads import LoadedThread, Threads

CACHE_BYTES: Final = 64 * MEBIBYTE


class SharedPageKey(msgspec.Struct, frozen=True):
    """Everything that the page depends on for visitors of whom nothing is known."""

    page: PageKey
    token: str
    cursor: Cursor | None
    authority: WriteAuthority


@dataclass(frozen=True, slots=True)
class SharedPage:
    """The page for visitors of whom nothing is known; of the others', its parts and the thread."""

    section: Section
    parts: PageParts
    thread: LoadedThread

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes; parts and thread count in caches of their own."""
        return self.section.size


class SharedPages:
    """Joins the sections of pages for visitors of whom nothing is known."""

    def __init__(
        self,
        *,
        sections: InvoiceSections,
        threads: Threads,
        composers: Composers,
        metrics: Metrics,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Cache up to `cache_bytes` of pages."""
        self._sections = sections
        self._threads = threads
        self._composers = composers
        hits = metrics.document_lookups.labels("hit")

        def count_lookup(result: str) -> None:
            # After a miss the sections of the document are looked up, and that is counted.
            if result == "hit":
                hits.inc()

        self._cache: SharedCache[SharedPageKey, SharedPage] = SharedCache(cache_bytes, count_lookup)

    async def find(self, key: PageKey, token: str, access: InvoiceAccess) -> SharedPage:
        """Return the page that a token opens."""
        shared = SharedPageKey(key, token, access.cursor, access.authority)
        return self._cache.get(shared) or await self._cache.get_or_make(
            shared, lambda: self._make(key, token, access)
        )

    async def _make(self, key: PageKey, token: str, access: InvoiceAccess) -> SharedPage:
        unknown = msgspec.structs.replace(access, visitor=None)
        parts = await self._sections.find(key, token)
        loaded = await self._threads.load(key.profile, unknown)
        thread_key = self._threads.make_key(key.profile, unknown, (), token=token, locale=key.locale)
        thread = await self._threads.render(thread_key, loaded)
        composer_key = make_composer_key(
            unknown, Writer(), None, token=token, locale=key.locale, staff_name=key.profile.name
        )
        composer = await self._composers.render(composer_key)
        page = Section.join((parts.head, thread.section, parts.middle, composer, parts.tail))
        return SharedPage(page.fill(THREAD_LINK_SLOT, thread.link_words.decode()), parts, loaded)
