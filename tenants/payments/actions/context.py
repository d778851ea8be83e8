"""What actions need that ask the provider between units of work of their own."""

from __future__ import annotations

from dataclasses import dataclass

from kernel.actor import Actor
from kernel.clock import Clock
from kernel.ids import WorkspaceId
from kernel.store import Database, UnitOfWork
from tenants.payments.processor import PaymentProcessor
from tenants.payments.states import TIMINGS, Timings


@dataclass(frozen=True, slots=True)
class PaymentContext:
    """A workspace, the processor, and who acts; without an actor it is the database's."""

    database: Database
    processor: PaymentProcessor
    workspace_id: WorkspaceId
    clock: Clock
    actor: Actor | None = None
    timings: Timings = TIMINGS

    def scope(self) -> UnitOfWork:
        """Open a unit of work in the workspace; no request to the provider may be made inside it."""
        return self.database.scope(self.workspace_id, actor=self.actor)
