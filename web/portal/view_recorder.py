"""Records who viewed an invoice: views are buffered in memory and written to the view log in batches."""

from __future__ import annotations

import asyncio
import contextlib
import re
from contextvars import Context
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from crawleruseragents import is_crawler

from kernel.errors import Unavailable
from kernel.ids import new_id
from kernel.telemetry.logs import get_logger
from tenants.invoices.actions import record_views
from tenants.invoices.values import ActorClass, View

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from uuid import UUID

    from kernel.clock import Clock
    from kernel.ids import WorkspaceId
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.ids import InvoiceId, LinkId
    from tenants.invoices.values import OpenedInvoice

FLUSH_INTERVAL_S: Final = 0.5
#: Views that are buffered while Postgres is away; further ones are dropped and counted.
CAPACITY: Final = 10_000
#: Headers of browsers (Fetch: Sec-Purpose; older ones: the others) that fetch a page before it is opened.
PURPOSE_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")

_log: Final = get_logger("portal.views")

# Less than the time that Kubernetes leaves between the last request and SIGKILL.
_CLOSE_S: Final = 5.0
# Bounds the time a transaction holds its connection.
_BATCH: Final = 500
# Characters of a user agent that the view log stores; the cut also bounds the keys that `is_scanner` caches.
_LONGEST_AGENT: Final = 500
_PREFETCH: Final = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
# crawler-user-agents does not list these: mail scanners, link previews, and robots by their generic names.
_MAIL_SCANNER: Final = re.compile(
    r"(?<!cu)bot\b|crawl|spider|preview|scan|barracuda|proofpoint|mimecast|ironport|safelinks"
    r"|office existence|ms-office|microsoft office|java/",
    re.IGNORECASE,
)


class _PendingView(NamedTuple):
    """A view whose actor is not decided yet."""

    view_id: UUID
    invoice_id: InvoiceId
    link_id: LinkId | None
    viewed_at: dt.datetime
    address: str
    user_agent: str
    is_prefetch: bool
    request_id: str


class ViewRecorder:
    """Buffers views without waiting, and writes them within a second.

    A process that is killed loses the views of its last half second (ops/decisions/0007); one that ends writes
    them first.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        *,
        flush_interval_s: float = FLUSH_INTERVAL_S,
        capacity: int = CAPACITY,
    ) -> None:
        """Write every `flush_interval_s` seconds, and buffer `capacity` views at most."""
        self._database = database
        self._clock = clock
        self._flush_interval_s = flush_interval_s
        self._capacity = capacity
        self._written = metrics.views.labels("written")
        self._dropped = metrics.views.labels("dropped")
        self._skipped = metrics.views.labels("skipped")
        self._buffer: dict[WorkspaceId, list[_PendingView]] = {}
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        # Only one flush at a time removes what it has written from the buffer.
        self._flush_lock = asyncio.Lock()
        self._closing = asyncio.Event()

    def record(
        self,
        workspace_id: WorkspaceId,
        opened: OpenedInvoice,
        *,
        address: str,
        user_agent: str,
        purpose_headers: Sequence[str],
        request_id: str,
    ) -> None:
        """Buffer one view of an opened invoice.

        `purpose_headers` are the values of PURPOSE_HEADERS that the request has; an invalid `address`
        is stored as unknown. A HEAD request is no view.
        """
        pending = _PendingView(
            new_id(),
            opened.invoice_id,
            opened.link_id,
            self._clock.now(),
            address,
            user_agent[:_LONGEST_AGENT],
            is_prefetch(purpose_headers),
            request_id,
        )
        self._add(workspace_id, [pending])
        if self._task is None or self._task.done():
            # An empty context: the task belongs to no request.
            self._task = asyncio.get_running_loop().create_task(self._flush_regularly(), context=Context())

    async def close(self) -> None:
        """Write what is buffered and stop; what cannot be written within five seconds is dropped and counted."""
        self._closing.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                if self._task is not None:
                    await asyncio.wait([self._task])
                await self.flush()
        self._dropped.inc(self._count)
        self._buffer, self._count = {}, 0

    async def flush(self) -> None:
        """Write what is buffered now; while Postgres is away it stays buffered."""
        async with self._flush_lock:
            for workspace_id in list(self._buffer):
                while pending := self._buffer[workspace_id][:_BATCH]:
                    if not await self._write(workspace_id, pending):
                        return
                    del self._buffer[workspace_id][: len(pending)]
                    self._count -= len(pending)
                del self._buffer[workspace_id]

    async def _flush_regularly(self) -> None:
        while self._buffer and not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._flush_interval_s):
                    await self._closing.wait()
            await self.flush()

    async def _write(self, workspace_id: WorkspaceId, pending: list[_PendingView]) -> bool:
        """Write views; return False when they must be written again."""
        try:
            # In a thread: the list of crawlers is long, and takes up to a millisecond for each new user agent.
            views = await asyncio.to_thread(_build_views, pending)
            async with self._database.scope(workspace_id):
                stored = await record_views(views)
        except Unavailable:
            return False
        except Exception as error:  # noqa: BLE001  -- an error of the view log must not stop the recorder
            _log.error("views lost", count=len(pending), exc_info=error)
            self._dropped.inc(len(pending))
        else:
            self._written.inc(stored)
            self._skipped.inc(len(pending) - stored)
        return True

    def _add(self, workspace_id: WorkspaceId, pending: list[_PendingView]) -> None:
        room = max(0, self._capacity - self._count)
        if room < len(pending):
            self._dropped.inc(len(pending) - room)
            pending = pending[:room]
        if pending:
            self._buffer.setdefault(workspace_id, []).extend(pending)
            self._count += len(pending)


def is_prefetch(purpose_headers: Sequence[str]) -> bool:
    """Tell whether a browser has fetched the page before anybody opened it."""
    return any(_PREFETCH.search(value) for value in purpose_headers)


@lru_cache(maxsize=1024)
def is_scanner(user_agent: str) -> bool:
    """Tell whether a user agent is empty or names a program that no person uses to read pages."""
    return not user_agent or _MAIL_SCANNER.search(user_agent) is not None or is_crawler(user_agent)


def _build_views(pending: Sequence[_PendingView]) -> list[View]:
    return [
        View(
            view_id=each.view_id,
            invoice_id=each.invoice_id,
            link_id=each.link_id,
            actor=_classify_actor(each),
            viewed_at=each.viewed_at,
            address=_parse_address(each.address),
            user_agent=each.user_agent,
            request_id=each.request_id,
        )
        for each in pending
    ]


def _classify_actor(pending: _PendingView) -> ActorClass:
    if pending.is_prefetch:
        return ActorClass.PREFETCH
    return ActorClass.SCANNER if is_scanner(pending.user_agent) else ActorClass.HUMAN


def _parse_address(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None
