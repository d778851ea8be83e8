"""Blobs in an S3-compatible server: stored, read in ranges, missing, refused, and a server that does not respond."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from http.client import HTTPConnection

import pytest

from kernel.blobs import Blobs
from kernel.errors import Missing, Unavailable
from ops.dev.child_processes import bind_to_parent
from ops.ports import find_free_port

KEY = "w/pdf/abc.pdf"
DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


def fetch_status(port: int, method: str, path: str) -> int | None:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """Port of moto's server with a bucket of the name `bucket`; it ends with this process, whatever happens."""
    port = find_free_port()
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        bind_to_parent(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while fetch_status(port, "PUT", "/bucket") != 200:
                assert process.poll() is None, "the server has ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


@pytest.fixture
def s3(s3_port: int, monkeypatch: pytest.MonkeyPatch) -> Blobs:
    """The bucket, found by the usual variables."""
    set_environment(monkeypatch, f"http://127.0.0.1:{s3_port}")
    return Blobs.open("s3://bucket/some/prefix")


def set_environment(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "whose password this is")


async def test_what_is_put_is_there_whole_and_in_parts(s3: Blobs) -> None:
    await s3.put(KEY, b"0123456789")
    assert await s3.size(KEY) == 10
    assert await s3.get(KEY) == b"0123456789"
    assert await s3.get(KEY, start=2, end=5) == b"234"
    assert await s3.get(KEY, start=7) == b"789"
    assert await s3.get(KEY, start=10) == b""


async def test_the_prefix_is_a_folder_of_its_own(s3: Blobs) -> None:
    await s3.put("own.pdf", b"ours")
    with pytest.raises(Missing):
        await Blobs.open("s3://bucket/another/prefix").get("own.pdf")
    assert await Blobs.open("s3://bucket").get("some/prefix/own.pdf") == b"ours"


async def test_a_large_blob_is_read_as_it_was_written(s3: Blobs) -> None:
    data = bytes(range(256)) * 4 * 1024 * 8
    await s3.put("large.pdf", data)
    assert await s3.get("large.pdf") == data
    assert await s3.get("large.pdf", start=len(data) - 3) == data[-3:]


async def test_what_is_not_there_is_missing_and_may_be_deleted_all_the_same(s3: Blobs) -> None:
    await s3.put("gone.pdf", b"gone soon")
    await s3.delete("gone.pdf")
    await s3.delete("gone.pdf")
    for call in (s3.get("gone.pdf"), s3.size("gone.pdf"), s3.get("gone.pdf", start=1, end=2)):
        with pytest.raises(Missing):
            await call


async def test_a_bucket_that_does_not_exist_is_unavailable(s3: Blobs) -> None:
    nowhere = Blobs.open("s3://no-such-bucket")
    for call in (nowhere.put(KEY, b"x"), nowhere.get(KEY), nowhere.get(KEY, start=1, end=2)):
        with pytest.raises(Unavailable):
            await call


async def refuse_access(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    body = b"" if head.startswith(b"HEAD") else DENIED
    writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    writer.close()


async def send_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.fixture
async def unavailable_store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Blobs]:
    """A store whose server refuses access or never responds."""
    server = await asyncio.start_server(request.param, "127.0.0.1", 0)
    set_environment(monkeypatch, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    yield Blobs.open("s3://bucket", timeout_s=1)
    server.close()


@pytest.mark.parametrize(
    "unavailable_store", [refuse_access, send_nothing], indirect=True, ids=["refusing", "silent"]
)
async def test_a_store_that_refuses_or_is_silent_is_unavailable_to_every_call(
    unavailable_store: Blobs,
) -> None:
    async with asyncio.timeout(20):
        for call in (
            unavailable_store.put(KEY, b"x"),
            unavailable_store.get(KEY),
            unavailable_store.get(KEY, start=1),
            unavailable_store.size(KEY),
            unavailable_store.delete(KEY),
        ):
            with pytest.raises(Unavailable):
                await call


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "no url at all", "minio:9000"])
async def test_an_endpoint_without_a_server_or_of_no_valid_url_is_unavailable(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, endpoint)
    nobody = Blobs.open("s3://bucket")
    async with asyncio.timeout(60):
        for call in (nobody.put(KEY, b"x"), nobody.get(KEY), nobody.size(KEY), nobody.delete(KEY)):
            with pytest.raises(Unavailable):
                await call
