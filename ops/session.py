"""What a command works with: settings, clock, keys and a database bound to the workspace that was named."""

import asyncio
import os
import pwd
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from kernel.actor import Actor, ActorKind
from kernel.clock import Clock, SystemClock
from kernel.errors import Missing
from kernel.ids import WorkspaceId
from kernel.seals import Sealer
from kernel.settings import Settings
from kernel.store import Database
from tenants.workspaces import queries as workspaces

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Session:
    """One command's connection to the installation, as role app."""

    settings: Settings
    database: Database
    clock: Clock
    sealer: Sealer

    async def workspace_id(self, name: str) -> WorkspaceId:
        """Return the workspace of a slug or of one of its hosts; Missing("workspace.not_found")."""
        host = name if "." in name else f"{name}.{self.settings.base_domain}"
        found = await workspaces.workspace_by_host(self.database, host.lower())
        if found is None:
            raise Missing("workspace.not_found", f"No workspace is served at {host}.", host=host)
        return found.workspace.workspace_id

    @asynccontextmanager
    async def inside(self, name: str, *, read_only: bool = False) -> AsyncIterator[WorkspaceId]:
        """Open a unit of work in the workspace of a slug or host."""
        workspace_id = await self.workspace_id(name)
        async with self.database.scope(workspace_id, read_only=read_only):
            yield workspace_id

    async def write(self, name: str, work: Callable[[], Awaitable[_T]]) -> _T:
        """Run work in a workspace, again where others changed the same at once: nothing but statements, therefore."""
        return await self.database.run(await self.workspace_id(name), work)


def read_settings() -> Settings:
    """Read the environment; what is odd in it is said on standard error."""
    settings = Settings.from_environ(os.environ)
    for warning in settings.warnings:
        click.echo(warning, err=True)
    return settings


async def open_database(settings: Settings, url: str) -> Database:
    """Connect once for a command, as the role that the url names; the operator acts in it."""
    return await Database.open(
        url, size=1, name="portal command", prepared=settings.database_prepared, actor=operator()
    )


def operator() -> Actor:
    """Return whoever runs this command: the user of the operating system, by number where it has no name."""
    number = os.getuid()
    try:
        user = pwd.getpwuid(number).pw_name
    except KeyError:
        user = str(number)
    return Actor(ActorKind.OPERATOR, user)


def run(work: Callable[[Session], Awaitable[_T]]) -> _T:
    """Run one command's work with an open session."""

    async def opened() -> _T:
        settings = read_settings()
        database = await open_database(settings, settings.database_url)
        try:
            return await work(Session(settings, database, SystemClock(), Sealer(settings.secret_keys)))
        finally:
            await database.close()

    return asyncio.run(opened())


def read_at_most(file: Path, most: int) -> bytes:
    """Return what a file holds, or of a longer one the first `most` + 1 bytes: enough to be refused as too large."""
    with file.open("rb") as opened:
        return opened.read(most + 1)
