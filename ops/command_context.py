"""Opens settings, clock, secret keys and database for a command."""

import asyncio
import os
import pwd
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from kernel.actor import Actor, ActorKind
from kernel.clock import Clock, SystemClock
from kernel.errors import Conflict, Denied, Missing, PortalError
from kernel.ids import WorkspaceId
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database, Isolation
from kernel.telemetry import logs
from kernel.wakeup import Publisher
from tenants.activity.actions import audit_refusal
from tenants.workspaces import queries as workspaces

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The settings of a command and its database, as role app."""

    settings: Settings
    database: Database
    clock: Clock
    sealer: Sealer

    async def find_workspace_id(self, name: str) -> WorkspaceId:
        """Return the workspace of a slug or of one of its hosts; Missing("workspace.not_found")."""
        host = name if "." in name else f"{name}.{self.settings.base_domain}"
        resolved = await workspaces.find_workspace_by_host(self.database, host.lower())
        if resolved is None:
            raise Missing("workspace.not_found", f"No workspace is served at {host}.", host=host)
        return resolved.workspace.workspace_id

    @asynccontextmanager
    async def scope(
        self,
        name: str,
        *,
        read_only: bool = False,
        actor: Actor | None = None,
        isolation: Isolation | None = None,
    ) -> AsyncIterator[WorkspaceId]:
        """Open a unit of work in the workspace of a slug or host; the operator is the actor unless one is given."""
        workspace_id = await self.find_workspace_id(name)
        try:
            async with self.database.scope(
                workspace_id, read_only=read_only, actor=actor, isolation=isolation
            ):
                yield workspace_id
        except (Denied, Conflict) as error:
            await self._audit_refusal(workspace_id, error)
            raise

    async def run_unit(self, name: str, work: Callable[[], Awaitable[_T]]) -> _T:
        """Run a unit of work in a workspace; after a conflict it runs again, so that it must only send statements."""
        workspace_id = await self.find_workspace_id(name)
        try:
            return await self.database.run(workspace_id, work)
        except (Denied, Conflict) as error:
            await self._audit_refusal(workspace_id, error)
            raise

    async def _audit_refusal(self, workspace_id: WorkspaceId, error: PortalError) -> None:
        command = click.get_current_context().command_path
        await audit_refusal(self.database, workspace_id, error, action=command)


def read_settings() -> Settings:
    """Read the settings from the environment; warnings go to standard error."""
    settings = Settings.from_environ(os.environ)
    for warning in settings.warnings:
        click.echo(warning, err=True)
    return settings


@asynccontextmanager
async def open_database(
    settings: Settings, url: str, *, size: int = 1, name: str = "portal command"
) -> AsyncIterator[Database]:
    """Open a database for a command, as the role in the URL; the operator is the actor, and commits are published."""
    publisher = Publisher(settings.redis_url)
    try:
        database = await Database.open(
            url,
            size=size,
            name=name,
            prepared=settings.database_prepared,
            actor=identify_operator(),
            publish=publisher.publish,
        )
        try:
            yield database
        finally:
            await database.close()
    finally:
        await publisher.close()


def identify_operator() -> Actor:
    """Return the user of the operating system that runs this command, by number if it has no name."""
    number = os.getuid()
    try:
        user = pwd.getpwuid(number).pw_name
    except KeyError:
        user = str(number)
    return Actor(ActorKind.OPERATOR, user)


def run_command(work: Callable[[CommandContext], Awaitable[_T]]) -> _T:
    """Run the work of one command with an open database."""
    # Standard output is the command's result, which programs read.
    logs.configure(level="warning", process="command", stream=sys.stderr)

    async def open_and_run() -> _T:
        settings = read_settings()
        async with open_database(settings, settings.database_url) as database:
            return await work(CommandContext(settings, database, SystemClock(), Sealer(settings.secret_keys)))

    return asyncio.run(open_and_run())


def read_file(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a file, at most `max_bytes` + 1: enough for the check of its size to refuse it."""
    with path.open("rb") as file:
        return file.read(max_bytes + 1)
