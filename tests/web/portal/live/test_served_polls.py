"""Polls over real sockets: a client that goes, and a server that ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from ops.ports import find_free_port
from tests.fakes.http_server import HttpServer, request
from tests.web.portal.live.conftest import MakeScene, Scene, wait_until
from web.http.server import Server
from web.portal.live.polls import MOST_PER_ADDRESS

# Of an office that reaches the gateway without a proxy.
OFFICE = ("127.0.0.91", 0)


@pytest.fixture
async def served_scene(
    make_scene: MakeScene, settings: Any, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[Scene, HttpServer]]:
    """A scene whose gateway is behind a port, and behind a proxy unless the parameter is another network's."""
    proxies = ip_network(getattr(request, "param", "127.0.0.0/8"))
    fields: dict[str, Any] = {"trusted_proxies": (proxies,), "port": find_free_port()}
    scene = await make_scene(**fields)
    server = Server(scene.portal.gateway, replace(settings, **fields))
    running = HttpServer(fields["port"], scene.portal, server, asyncio.create_task(server.serve()))
    await wait_until(lambda: server.started)
    yield scene, running
    server.should_exit = True
    await running.task


async def build_request(scene: Scene) -> bytes:
    cursor = await scene.load_cursor()
    line = f"GET {scene.path}?since={cursor.seq}&epoch={cursor.epoch}&wait=25"
    return request(line, scene.tenant.host, scene.visitor.address)


async def test_a_client_that_closes_its_connection_waits_no_longer(
    served_scene: tuple[Scene, HttpServer],
) -> None:
    scene, running = served_scene
    _, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(await build_request(scene))
    await wait_until(lambda: scene.count_parked() == 1)
    writer.transport.abort()
    await wait_until(lambda: scene.count_parked() == 0)
    assert scene.count("disconnected") == 1
    assert scene.count_rooms() == 0


@pytest.mark.parametrize("served_scene", ["192.0.2.0/24"], indirect=True)
async def test_an_office_that_waits_with_all_its_polls_can_still_load_pages(
    served_scene: tuple[Scene, HttpServer],
) -> None:
    scene, running = served_scene
    poll = await build_request(scene)

    async def ask(sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, local_addr=OFFICE)
        writer.write(sent)
        return reader, writer

    waiting = await asyncio.gather(*(ask(poll) for _ in range(MOST_PER_ADDRESS + 1)))
    await wait_until(lambda: (scene.count_parked(), scene.count("busy")) == (MOST_PER_ADDRESS, 1))
    asking = await ask(request(f"GET {scene.tenant.path}", scene.tenant.host, ""))
    answer = await asking[0].read()
    for _, writer in (*waiting, asking):
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_server_that_ends_waits_for_nobody(served_scene: tuple[Scene, HttpServer]) -> None:
    scene, running = served_scene
    asking = asyncio.create_task(running.exchange(await build_request(scene)))
    await wait_until(lambda: scene.count_parked() == 1)
    running.server.should_exit = True
    answer = await asking
    assert answer.startswith(b"HTTP/1.1 204 ")
    assert answer.partition(b"\r\n\r\n")[2] == b""
    await running.task
    assert scene.count("drained") == 1
