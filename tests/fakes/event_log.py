"""An event of the tests, and the log of one workspace, written by the real sequencer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from kernel.actor import Actor
from kernel.ids import WorkspaceId
from kernel.store import Database, fetch
from tenants.activity.actions import emit
from tenants.activity.events import Event
from tenants.activity.queries import Anchor, Fault, verify
from tenants.activity.sequencer import find_workspaces_with_drafts, place_events


class ShelfBuilt(Event, frozen=True, kw_only=True):
    """An event of the tests."""

    kind: ClassVar[str] = "shelf.built"

    number: int


async def place_all(svc: Database) -> int:
    """Place the drafts of all workspaces; returns how many there were."""
    placed = 0
    while found := await find_workspaces_with_drafts(svc):
        now = await place_events(svc, found)
        if now == 0:
            break
        placed += now
    return placed


@dataclass(frozen=True, slots=True)
class Log:
    """The log of one workspace."""

    workspace_id: WorkspaceId
    database: Database
    svc: Database
    base: int
    """The place after which the test's own events begin: the workspace itself has events before."""

    async def write(self, *numbers: int, actor: Actor | None = None) -> None:
        """Emit one event for each number, each in a unit of work, and place them."""
        for number in numbers:
            async with self.database.scope(self.workspace_id, actor=actor):
                await emit(ShelfBuilt(number=number))
        await place_all(self.svc)

    async def load_rows(self) -> list[Any]:
        """Return the stored events of the test by place."""
        async with self.database.scope(self.workspace_id, read_only=True):
            return await fetch("SELECT * FROM event WHERE place > $1 ORDER BY place", self.base)

    async def load_head(self) -> Any:
        """Return the stored head."""
        async with self.database.scope(self.workspace_id, read_only=True):
            return (await fetch("SELECT * FROM event_head"))[0]

    async def load_anchor(self) -> Anchor:
        """Return where the log ends now."""
        head = await self.load_head()
        return Anchor(self.workspace_id, head["place"], head["hash"].hex())

    async def verify(self, *known: Anchor) -> tuple[Fault, ...]:
        """Return what is wrong with it."""
        async with self.database.scope(self.workspace_id, read_only=True):
            return await verify(known)
