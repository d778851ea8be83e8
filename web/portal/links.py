"""The one way through a link: from a token to what its invoice shows, or to a miss that tells nobody why."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kernel.errors import Invalid, Missing, Unavailable
from kernel.ids import token_is_well_formed
from tenants.invoices import queries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kernel.seals import Sealer
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics
    from tenants.invoices.values import OpenedInvoice
    from tenants.workspaces.profile import WorkspaceProfile
    from web.http.context import Visit
    from web.http.limits import MissLimit

_T = TypeVar("_T")


class Unshowable(RuntimeError):
    """What is stored cannot be shown. A mistake of ours, whatever kind of error it comes from: nothing was sent."""


class Links:
    """Opens links in the visited workspace; counts what is missing, and against whom."""

    def __init__(self, *, database: Database, sealer: Sealer, metrics: Metrics, misses: MissLimit) -> None:
        """Bound by `misses` how many links an address may look for in vain."""
        self._database = database
        self._sealer = sealer
        self._metrics = metrics
        self._misses = misses

    async def within(
        self, visit: Visit, token: str, read: Callable[[OpenedInvoice], Awaitable[_T]]
    ) -> tuple[OpenedInvoice, _T]:
        """Return what a token opens on the visited host, and what `read` finds in the same unit of work.

        Missing("link.not_found") whatever the reason that it opens none. A malformed token, mistyped or cut off
        by a mail program, cost no look-up and is held against nobody.
        """
        missed = Missing("link.not_found", "This link opens nothing.")
        if not token_is_well_formed(token):
            self._metrics.links_not_found.labels("malformed").inc()
            raise missed
        if not self._misses.is_reached(visit.address):
            try:
                return await self._read(visit.workspace, token, read)
            except Missing as error:
                missed = error
        self._metrics.links_not_found.labels("token").inc()
        await self._misses.count(visit.address)
        raise missed

    async def _read(
        self, profile: WorkspaceProfile, token: str, read: Callable[[OpenedInvoice], Awaitable[_T]]
    ) -> tuple[OpenedInvoice, _T]:
        try:
            return await self._once(profile, token, read)
        except Unavailable as error:
            # Postgres may just have been restarted: a read can simply be done again, once. Not so when we have
            # waited already, for an answer or for a connection.
            if error.code != "store.unavailable":
                raise
            return await self._once(profile, token, read)

    async def _once(
        self, profile: WorkspaceProfile, token: str, read: Callable[[OpenedInvoice], Awaitable[_T]]
    ) -> tuple[OpenedInvoice, _T]:
        try:
            opened = await queries.open_link(self._database, profile.workspace_id, token, sealer=self._sealer)
            async with self._database.scope(profile.workspace_id, read_only=True):
                return opened, await read(opened)
        except Invalid as error:
            raise Unshowable(str(profile.workspace_id)) from error
