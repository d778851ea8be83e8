"""Looks at invoices on their way into the view log: kept for a moment, then written as jobs, many at once."""

from __future__ import annotations

import asyncio
import contextlib
import re
from contextvars import Context
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from kernel.errors import Unavailable
from kernel.jobs import enqueue_many
from kernel.telemetry.logs import logger
from tenants.invoices.jobs import RecordView
from tenants.invoices.values import ActorClass
from web.http.addresses import UNKNOWN, logged_as

if TYPE_CHECKING:
    import datetime as dt

    from kernel.clock import Clock
    from kernel.ids import WorkspaceId
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.values import OpenedInvoice
    from web.http.context import Headers, Visit

PAUSE_S: Final = 0.5
#: Looks that are kept while Postgres is away; further ones are dropped and counted.
MOST: Final = 10_000
# So many are written at once that others are let in between soon enough.
_AT_ONCE: Final = 200
_LONGEST_AGENT: Final = 500

# What browsers (Fetch, Sec-Purpose) and older ones say when nobody has opened the page yet.
_EARLY: Final = (b"sec-purpose", b"purpose", b"x-purpose", b"x-moz")
_EARLY_WORDS: Final = re.compile(rb"prefetch|prerender|preview", re.IGNORECASE)
# Those that fetch links out of mails and chats before, or instead of, a person.
_SCANNER: Final = re.compile(
    rb"(?<!cu)bot\b|crawl|spider|slurp|preview|scan|facebookexternalhit|whatsapp|skypeuri|slack|embedly|quora link"
    rb"|barracuda|proofpoint|mimecast|ironport|safelinks|office existence|ms-office|microsoft office|google-safety"
    rb"|headlesschrome|phantomjs|curl/|wget/|python-|go-http|okhttp|java/|libwww|http-?client|axios|node-fetch",
    re.IGNORECASE,
)


class _Look(NamedTuple):
    visit: Visit
    opened: OpenedInvoice
    at: dt.datetime


class Looks:
    """Takes a look in no time, and writes it down within a second as a job of the workspace's.

    A process that is killed loses the looks of its last half second (ops/decisions/0007); one that ends writes
    them first.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        *,
        pause_s: float = PAUSE_S,
        most: int = MOST,
    ) -> None:
        """Write every `pause_s` seconds, and hold `most` looks at most."""
        self._database = database
        self._clock = clock
        self._pause_s = pause_s
        self._most = most
        self._written = metrics.views.labels("written")
        self._dropped = metrics.views.labels("dropped")
        self._held: dict[WorkspaceId, list[_Look]] = {}
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def note(self, visit: Visit, opened: OpenedInvoice) -> None:
        """Take a look that is to be logged; asking for the headers alone is none."""
        if visit.is_head:
            return
        self._hold(visit.workspace.workspace_id, [_Look(visit, opened, self._clock.now())])
        if self._task is None or self._task.done():
            # An empty context: the task belongs to no request.
            self._task = asyncio.get_running_loop().create_task(self._later(), context=Context())

    async def close(self) -> None:
        """Write what is held and stop."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task])
        await self.write()

    async def write(self) -> None:
        """Write what is held now; it stays held while Postgres is away."""
        held, self._held, self._count = self._held, {}, 0
        for workspace_id, looks in held.items():
            for start in range(0, len(looks), _AT_ONCE):
                await self._write(workspace_id, looks[start : start + _AT_ONCE])

    async def _later(self) -> None:
        while self._held and not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s):
                    await self._closing.wait()
            await self.write()

    async def _write(self, workspace_id: WorkspaceId, looks: list[_Look]) -> None:
        try:
            async with self._database.scope(workspace_id):
                await enqueue_many([(_job(look), look.visit.request_id) for look in looks])
        except Unavailable:
            self._hold(workspace_id, looks)
        except Exception as error:  # noqa: BLE001  -- the pages go on, whatever is wrong with their log
            _log.error("looks lost", count=len(looks), exc_info=error)
            self._dropped.inc(len(looks))
        else:
            self._written.inc(len(looks))

    def _hold(self, workspace_id: WorkspaceId, looks: list[_Look]) -> None:
        room = max(0, self._most - self._count)
        if room < len(looks):
            self._dropped.inc(len(looks) - room)
            looks = looks[:room]
        if looks:
            self._held.setdefault(workspace_id, []).extend(looks)
            self._count += len(looks)


def actor_of(headers: Headers) -> ActorClass:
    """Tell who is looking, as far as the headers say; a human is who says nothing else."""
    if any(_EARLY_WORDS.search(headers.get(name, b"")) for name in _EARLY):
        return ActorClass.PREFETCH
    return (
        ActorClass.SCANNER if _scans(headers.get(b"user-agent", b"")[:_LONGEST_AGENT]) else ActorClass.HUMAN
    )


@lru_cache(maxsize=1024)
def _scans(agent: bytes) -> bool:
    return not agent or _SCANNER.search(agent) is not None


def _job(look: _Look) -> RecordView:
    network = logged_as(look.visit.address)
    agent = look.visit.headers.get(b"user-agent", b"")[:_LONGEST_AGENT].decode("latin-1")
    return RecordView(
        invoice_id=look.opened.invoice_id,
        link_id=look.opened.link_id,
        actor=actor_of(look.visit.headers),
        viewed_at=look.at,
        network=None if network == UNKNOWN else network,
        # Postgres' JSON knows no such character.
        user_agent=agent.replace("\x00", ""),
    )


_log: Final = logger("portal.looks")
