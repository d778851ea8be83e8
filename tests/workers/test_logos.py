"""A logo from a URL is fetched, encoded again and shown, or refused with a reason."""

from __future__ import annotations

import asyncio
import io
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from PIL import Image

from kernel.clock import SystemClock
from kernel.fetching import Fetcher, FetchLimits
from kernel.store import Database, fetch_one
from kernel.telemetry.metrics import Metrics
from tenants.workspaces import actions, queries
from tenants.workspaces.jobs import FetchLogo
from tenants.workspaces.logo import MAX_UPLOAD_BYTES, reencode
from tenants.workspaces.profile import WorkspaceProfile
from tests.conftest import NewWorkspaceFixture
from workers.actors.logos import create_logo_handler
from workers.handlers import Handlers
from workers.runner import Runner

SERVER_ADDRESS = ip_address("127.0.0.2")


def _png(width: int = 40, height: int = 20) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "#336699").save(buffer, format="PNG")
    return buffer.getvalue()


def _build_decompression_bomb(side: int) -> bytes:
    """Return a small PNG whose header declares a square of `side` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(120_001)))
        + chunk(b"IEND", b"")
    )


@dataclass
class LogoServer:
    """A server with one image, and a worker that may fetch it."""

    database: Database
    workspace: WorkspaceProfile
    port: int = 0
    content: bytes = b""

    @property
    def url(self) -> str:
        return f"http://127.0.0.2:{self.port}/logo.png"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n" + self.content)
        writer.close()

    async def run_job(
        self,
        url: str,
        *,
        fetcher: Fetcher | None = None,
        meanwhile: Callable[[], Awaitable[object]] | None = None,
    ) -> Any:
        """Enqueue the job of a URL, await `meanwhile`, run the job once, and return its row."""
        default_fetcher = Fetcher(
            FetchLimits(MAX_UPLOAD_BYTES),
            is_allowed=lambda address: address == SERVER_ADDRESS,
            ports={self.port},
        )
        handlers = Handlers()
        handlers.register(FetchLogo, create_logo_handler(fetcher or default_fetcher))
        async with self.database.scope(self.workspace.workspace_id):
            added = await actions.request_logo_fetch(url)
            if meanwhile is not None:
                await meanwhile()
        lease = timedelta(seconds=30)
        runner = Runner(self.database, handlers, lease=lease, metrics=Metrics(), clock=SystemClock())
        await runner.run(self.workspace.workspace_id, added.job_id)
        async with self.database.scope(self.workspace.workspace_id, read_only=True):
            return await fetch_one("SELECT * FROM job WHERE job_id = $1", added.job_id)

    async def load_logo_size(self) -> tuple[int, int] | None:
        """Return width and height of the workspace's logo."""
        async with self.database.scope(self.workspace.workspace_id, read_only=True):
            logo = (await queries.load_profile()).logo
        return None if logo is None else (logo.width, logo.height)


@pytest.fixture
async def logo_server(database: Database, new_workspace: NewWorkspaceFixture) -> AsyncIterator[LogoServer]:
    logo_server = LogoServer(database, await new_workspace())
    server = await asyncio.start_server(logo_server.serve, str(SERVER_ADDRESS), 0)
    logo_server.port = server.sockets[0].getsockname()[1]
    yield logo_server
    server.close()


async def test_the_picture_becomes_the_logo(logo_server: LogoServer) -> None:
    logo_server.content = _png()
    assert (await logo_server.run_job(logo_server.url))["state"] == "done"
    assert await logo_server.load_logo_size() == (40, 20)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
            "A logo is a PNG, JPEG, WebP or GIF",
        ),
        (b"<!doctype html><title>Sign in</title>", "A logo is a PNG, JPEG, WebP or GIF"),
        (_png()[:-30], "A logo is a PNG, JPEG, WebP or GIF"),
        (b"", "A logo is a PNG, JPEG, WebP or GIF"),
        (_build_decompression_bomb(12_000), "A logo has at most 16 megapixels."),
        (_build_decompression_bomb(30_000), "A logo has at most 16 megapixels."),
        (bytes(MAX_UPLOAD_BYTES + 1), "The answer is larger than 2048 KiB."),
    ],
    ids=["svg", "html", "half a picture", "nothing", "bomb", "larger bomb", "large"],
)
async def test_what_is_no_picture_ends_the_job_at_once_and_says_why(
    logo_server: LogoServer, content: bytes, words: str
) -> None:
    logo_server.content = content
    job = await logo_server.run_job(logo_server.url)
    assert (job["state"], job["attempts"]) == ("dead", 1)
    assert words in job["error"]
    assert await logo_server.load_logo_size() is None


async def test_a_refused_logo_leaves_the_earlier_one(logo_server: LogoServer) -> None:
    logo_server.content = _png(60, 30)
    await logo_server.run_job(logo_server.url)
    logo_server.content = b"no picture any more"
    assert (await logo_server.run_job(f"{logo_server.url}?again"))["state"] == "dead"
    assert await logo_server.load_logo_size() == (60, 30)


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        (lambda: actions.set_logo(reencode(_png(24, 12)), clock=SystemClock()), (24, 12)),
        (actions.remove_logo, None),
        (lambda: actions.request_logo_fetch("https://later.example/logo.png"), None),
    ],
    ids=["a file", "none", "another URL"],
)
async def test_what_is_chosen_meanwhile_counts(
    logo_server: LogoServer, chosen: Callable[[], Awaitable[object]], shown: tuple[int, int] | None
) -> None:
    logo_server.content = _png(60, 30)
    assert (await logo_server.run_job(logo_server.url, meanwhile=chosen))["state"] == "done"
    assert await logo_server.load_logo_size() == shown


async def test_an_address_of_our_own_network_ends_the_job_at_once(logo_server: LogoServer) -> None:
    job = await logo_server.run_job(
        "http://169.254.169.254/latest/meta-data/", fetcher=Fetcher(FetchLimits(MAX_UPLOAD_BYTES))
    )
    assert (job["state"], job["attempts"]) == ("dead", 1)
    assert "not on the public internet" in job["error"]


async def test_a_server_that_is_away_is_asked_again_later(logo_server: LogoServer) -> None:
    job = await logo_server.run_job(
        f"http://127.0.0.2:{logo_server.port}/x", fetcher=_create_failing_fetcher(logo_server.port)
    )
    assert (job["state"], job["attempts"]) == ("queued", 1)
    assert "cannot be reached" in job["error"]


def _create_failing_fetcher(port: int) -> Fetcher:
    async def resolve(host: str, port: int) -> list[Any]:
        raise OSError("Name or service not known")

    return Fetcher(FetchLimits(MAX_UPLOAD_BYTES), resolve=resolve, ports={port})
