"""The thread of an invoice: loaded once for each state of its stream, rendered once for many visitors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from uuid import UUID

from kernel.live import Audience, Cursor
from kernel.store import Isolation
from tenants.access.values import BROWSER_PURPOSE, SubjectKind
from tenants.comments import queries
from tenants.comments.ownership import is_editable, was_written_by
from tenants.comments.values import Comment, ThreadView
from web.http.lru import MEBIBYTE, SharedCache
from web.http.sections import Section
from web.http.templates import load_words
from web.portal.thread.model import EditAttempt, ThreadKey, build_thread_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel.clock import Clock
    from kernel.seals import Sealer
    from kernel.store import Database
    from tenants.ids import InvoiceId
    from tenants.invoices.values import InvoiceAccess, Visitor
    from tenants.workspaces.profile import WorkspaceProfile
    from web.http.sessions import Session
    from web.http.templates import Templates

CACHE_BYTES: Final = 32 * MEBIBYTE
# Of a comment in memory, beside its text.
_COMMENT_BYTES: Final = 1024
# Rendering takes about 0.1 ms a comment: longer threads are rendered in a thread, off the event loop.
_COMMENTS_IN_LOOP: Final = 40


@dataclass(frozen=True, slots=True)
class RenderedThread:
    """The section of a thread, and the words of the link to it."""

    section: Section
    link_words: bytes

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return self.section.size + len(self.link_words)


@dataclass(frozen=True, slots=True)
class LoadedThread:
    """A thread at one state of its stream."""

    view: ThreadView
    browser_hashes: frozenset[bytes]
    """Of all customers who wrote: most readers are none of them, and nothing else is compared."""
    addresses: frozenset[str]

    @classmethod
    def index(cls, view: ThreadView) -> Self:
        """Return a thread with its authors."""
        return cls(
            view,
            frozenset(each.browser_hash for each in view.comments if each.browser_hash),
            frozenset(each.author_email for each in view.comments if each.author_email),
        )

    @property
    def size(self) -> int:
        """The approximate size in memory, in bytes."""
        return _COMMENT_BYTES + sum(_COMMENT_BYTES + len(each.body) * 2 for each in self.view.comments)


_EMPTY: Final = LoadedThread.index(ThreadView(None, (), 0, None, 0, None, None))


class Threads:
    """Loads and renders threads; both are cached by the head of the customers' stream."""

    def __init__(
        self,
        *,
        database: Database,
        sealer: Sealer,
        clock: Clock,
        templates: Templates,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Cache up to `cache_bytes` of threads, and as much of their sections."""
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._templates = templates
        self._loaded: SharedCache[tuple[UUID, UUID, Cursor], LoadedThread] = SharedCache(
            cache_bytes, lambda _result: None
        )
        self._rendered: SharedCache[ThreadKey, RenderedThread] = SharedCache(
            cache_bytes, lambda _result: None
        )

    def list_own(self, loaded: LoadedThread, access: InvoiceAccess, session: Session) -> list[Comment]:
        """Return the comments of this browser, and of the address that it has proven, the oldest first.

        Those that were deleted are nobody's any more.
        """
        if not loaded.browser_hashes or session.is_new:
            return []
        visitor = access.visitor
        address = "" if visitor is None else find_proven_address(visitor)
        browser_hash = find_browser_hash(access, session, self._sealer)
        if browser_hash not in loaded.browser_hashes and address not in loaded.addresses:
            return []
        return [
            each
            for each in loaded.view.comments
            if each.deleted_at is None
            and was_written_by(each, browser_hash=browser_hash, proven_email=address)
        ]

    async def load(self, profile: WorkspaceProfile, access: InvoiceAccess) -> LoadedThread:
        """Return the thread as customers may see it, at the state that the invoice was opened in or a later one."""
        cursor, invoice_id = access.cursor, access.invoice.invoice_id
        if cursor is None or not cursor.seq:
            return _EMPTY
        key = (profile.workspace_id, invoice_id, cursor)
        return self._loaded.get(key) or await self._loaded.get_or_make(
            key, lambda: self._read(profile, invoice_id)
        )

    def make_key(
        self,
        profile: WorkspaceProfile,
        access: InvoiceAccess,
        own: Sequence[Comment],
        *,
        token: str,
        locale: str,
    ) -> ThreadKey:
        """Return the key of the section that the author of `own` gets now."""
        now = self._clock.now() if own else None
        return ThreadKey(
            profile.workspace_id,
            access.invoice.invoice_id,
            f"/i/{token}",
            # Not the cursor of the thread, which may have been loaded later than the invoice was opened: the browser
            # subscribes from here, and what happened in between concerns the other sections of the page too.
            access.cursor,
            locale,
            profile.time_zone,
            profile.name,
            tuple(each.comment_id for each in own),
            tuple(each.comment_id for each in own if now is not None and is_editable(each, now)),
        )

    async def render(
        self, key: ThreadKey, loaded: LoadedThread, edit_attempt: EditAttempt | None = None
    ) -> RenderedThread:
        """Return the section of a thread; one with a refused edit is not cached."""
        if edit_attempt is not None:
            return await self._make(key, loaded.view, edit_attempt)
        return self._rendered.get(key) or await self._rendered.get_or_make(
            key, lambda: self._make(key, loaded.view, None)
        )

    async def _read(self, profile: WorkspaceProfile, invoice_id: InvoiceId) -> LoadedThread:
        async with self._database.scope(
            profile.workspace_id, read_only=True, isolation=Isolation.REPEATABLE_READ
        ):
            return LoadedThread.index(await queries.load_thread(invoice_id, Audience.PUBLIC))

    def warm(self, key: ThreadKey) -> int:
        """Render an empty thread; returns its size in bytes."""
        return self._render(key, _EMPTY.view, None).size

    async def _make(
        self, key: ThreadKey, view: ThreadView, edit_attempt: EditAttempt | None
    ) -> RenderedThread:
        if len(view.comments) > _COMMENTS_IN_LOOP:
            return await asyncio.to_thread(self._render, key, view, edit_attempt)
        return self._render(key, view, edit_attempt)

    def _render(self, key: ThreadKey, view: ThreadView, edit_attempt: EditAttempt | None) -> RenderedThread:
        language = load_words(key.locale)
        model = build_thread_model(key, view, language, edit_attempt)
        html = self._templates.render("thread.html.jinja", language, model)
        return RenderedThread(Section.split(html), model.link_words.encode())


def find_browser_hash(access: InvoiceAccess, session: Session, sealer: Sealer) -> bytes:
    """Return the keyed hash of the browser: of its anonymous session, which an elevated one keeps."""
    if access.visitor is not None:
        return access.visitor.session.browser_hash
    return sealer.compute_hash(BROWSER_PURPOSE, session.value.encode())


def find_proven_address(visitor: Visitor) -> str:
    """Return the address that a visitor's session has proven; empty for none."""
    session = visitor.session
    is_proven = session.subject.kind is SubjectKind.ADDRESS and session.email_proven_at is not None
    return session.subject.id if is_proven else ""
