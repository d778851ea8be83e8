"""The fetcher against hostile servers: forbidden addresses are not reached, and time and size are limited."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kernel.addresses import IPAddress
from kernel.errors import Invalid, Unavailable
from kernel.fetching import Fetcher, FetchLimits, resolve_host

OURS, THEIRS = ip_address("127.0.0.2"), ip_address("127.0.0.1")
LIMITS = FetchLimits(max_bytes=100_000, timeout_s=3)
PICTURE = b"a picture, for all the fetcher knows"

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer_plainly(body: bytes = PICTURE, status: str = "200 OK", **headers: str) -> Answer:
    """An answer with its length."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


async def answer_endlessly(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(65_536))
        await writer.drain()


async def answer_slowly(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def send_endless_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: " + b"y" * 4096 + b"\r\n")
        await writer.drain()


async def send_nothing(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


async def send_no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def close_early(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\nonly this")


@dataclass
class Site:
    """A server on 127.0.0.2, and one on 127.0.0.1 that the fetcher may not reach."""

    port: int = 0
    trap_port: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    trap_clients: list[str] = field(default_factory=list)
    names: dict[str, list[IPAddress]] = field(default_factory=dict)
    resolutions: list[str] = field(default_factory=list)

    def url(self, path: str = "/logo.png", host: str = "logos.example") -> str:
        return f"http://{host}:{self.port}{path}"

    async def resolve(self, host: str, port: int) -> list[IPAddress]:
        """Resolve the names of the test, others with the system's resolver."""
        self.resolutions.append(host)
        return self.names.get(host) or await resolve_host(host, port)

    def fetcher(self, limits: FetchLimits = LIMITS, tls: ssl.SSLContext | None = None) -> Fetcher:
        """A fetcher for which 127.0.0.2 is the public internet."""
        return Fetcher(
            limits,
            resolve=self.resolve,
            is_allowed=lambda address: address == OURS,
            ports={80, 443, self.port, self.trap_port},
            tls=tls,
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            await self.answers[head.split()[1]](writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def record_trap_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.trap_clients.append(str(writer.get_extra_info("peername")))
        writer.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site(names={"logos.example": [OURS]})
    server = await asyncio.start_server(site.serve, str(OURS), 0)
    trap = await asyncio.start_server(site.record_trap_client, str(THEIRS), 0)
    site.port = server.sockets[0].getsockname()[1]
    site.trap_port = trap.sockets[0].getsockname()[1]
    yield site
    assert site.trap_clients == []
    server.close()
    trap.close()


async def test_a_url_is_fetched_with_the_least_headers_and_without_a_proxy(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy of the environment would see the URL and connect to other addresses than the checked ones.
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{site.trap_port}")
    site.answers = {"/logo.png": answer_plainly(set_cookie="a=b")}
    assert await site.fetcher().fetch(site.url()) == PICTURE
    assert await site.fetcher().fetch(site.url()) == PICTURE
    lines = site.requests[1].lower().split("\r\n")
    assert f"host: logos.example:{site.port}" in lines
    assert "accept-encoding: identity" in lines
    sent = {line.partition(":")[0] for line in lines[1:] if line}
    assert sent == {"host", "user-agent", "accept", "accept-encoding", "connection"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "10.0.0.1", "0"])
async def test_addresses_of_the_own_network_are_refused_by_default(site: Site, host: str) -> None:
    guarded = Fetcher(LIMITS, ports={site.trap_port})
    with pytest.raises(Invalid, match="not on the public internet"):
        await guarded.fetch(f"http://{host}:{site.trap_port}/")


async def test_only_the_default_ports_are_allowed(site: Site) -> None:
    with pytest.raises(Invalid, match="Only the ports 80 and 443"):
        await Fetcher(LIMITS, resolve=site.resolve, is_allowed=lambda _: True).fetch(site.url())


async def test_one_address_of_several_that_is_not_public_refuses_them_all(site: Site) -> None:
    site.names["logos.example"] = [OURS, THEIRS]
    with pytest.raises(Invalid, match="not on the public internet"):
        await site.fetcher().fetch(site.url())
    assert site.requests == []


async def test_a_host_is_resolved_once_for_each_connection(
    site: Site,
) -> None:
    answers = iter([[OURS], [THEIRS], [THEIRS]])

    async def resolve_in_turn(host: str, port: int) -> list[IPAddress]:
        site.resolutions.append(host)
        return next(answers)

    site.answers = {"/logo.png": answer_plainly()}
    fetcher = Fetcher(
        LIMITS, resolve=resolve_in_turn, is_allowed=lambda address: address == OURS, ports={site.port}
    )
    assert await fetcher.fetch(site.url()) == PICTURE
    assert site.resolutions == ["logos.example"]
    with pytest.raises(Invalid, match="not on the public internet"):
        await fetcher.fetch(site.url())


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{trap}/",
        "http://localhost:{trap}/",
        "//127.0.0.1:{trap}/",
        "http://[::1]:{trap}/",
        "http://[::ffff:127.0.0.1]:{trap}/",
        "http://[::ffff:7f00:1]:{trap}/",
        "http://2130706433:{trap}/",
        "http://0x7f000001:{trap}/",
        "http://0177.0.0.1:{trap}/",
        "http://127.1:{trap}/",
        "http://0:{trap}/",
        "http://inside.example:{trap}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://user:word@logos.example:{port}/logo.png",
        "http://logos.example:22/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{trap}/_INFO",
        "data:image/png;base64,AAAA",
    ],
)
async def test_the_target_of_a_redirect_is_checked_like_the_url(site: Site, target: str) -> None:
    site.names["inside.example"] = [THEIRS]
    location = target.format(trap=site.trap_port, port=site.port)
    site.answers = {"/logo.png": answer_plainly(b"", "302 Found", location=location)}
    with pytest.raises(Invalid) as refused:
        await site.fetcher().fetch(site.url())
    assert refused.value.code == "url.refused"
    assert len(site.requests) == 1


async def test_three_redirects_are_followed_and_a_fourth_is_not(site: Site) -> None:
    def chain(length: int) -> dict[str, Answer]:
        hops = {f"/{n}": answer_plainly(b"", "302 Found", location=f"/{n + 1}") for n in range(length)}
        return hops | {f"/{length}": answer_plainly()}

    site.answers = chain(3)
    assert await site.fetcher().fetch(site.url("/0")) == PICTURE
    assert site.resolutions == ["logos.example"] * 4
    site.answers = chain(4)
    with pytest.raises(Invalid, match="more than 3 times"):
        await site.fetcher().fetch(site.url("/0"))


async def test_a_redirect_without_a_target_is_refused(site: Site) -> None:
    site.answers = {"/logo.png": answer_plainly(b"", "302 Found")}
    with pytest.raises(Invalid, match="redirect without a target"):
        await site.fetcher().fetch(site.url())


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (answer_plainly(bytes(100_001)), "fetch.too_large"),
        (answer_endlessly, "fetch.too_large"),
        (answer_plainly(gzip.compress(bytes(50_000_000)), content_encoding="gzip"), "fetch.refused"),
        (answer_plainly(content_encoding="br"), "fetch.refused"),
        (answer_plainly(status="404 Not Found"), "fetch.refused"),
        (answer_plainly(status="403 Forbidden"), "fetch.refused"),
        (answer_plainly(b"", status="204 No Content"), "fetch.refused"),
    ],
    ids=["large", "endless", "gzip bomb", "brotli", "404", "403", "204"],
)
async def test_responses_that_are_refused(site: Site, answer: Answer, code: str) -> None:
    site.answers = {"/logo.png": answer}
    with pytest.raises(Invalid) as refused:
        await site.fetcher().fetch(site.url())
    assert refused.value.code == code


async def test_content_of_the_largest_size_is_fetched(site: Site) -> None:
    site.answers = {"/logo.png": answer_plainly(bytes(100_000))}
    assert await site.fetcher().fetch(site.url()) == bytes(100_000)


@pytest.mark.parametrize(
    "answer",
    [
        answer_slowly,
        send_endless_headers,
        send_nothing,
        send_no_http,
        close_early,
        answer_plainly(status="503 Not Now"),
        answer_plainly(status="429 Slow"),
    ],
    ids=["dripping", "headers", "silent", "nonsense", "cut off", "503", "429"],
)
async def test_responses_for_which_another_attempt_may_succeed(site: Site, answer: Answer) -> None:
    site.answers = {"/logo.png": answer}
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable) as failed:
            await site.fetcher(FetchLimits(max_bytes=100_000, timeout_s=1)).fetch(site.url())
    assert failed.value.code == "fetch.failed"


async def test_a_closed_port_and_an_unknown_host_are_unavailable(site: Site) -> None:
    site.names["closed.example"] = [OURS]
    with pytest.raises(Unavailable, match="cannot be reached"):
        await site.fetcher().fetch(f"http://closed.example:{site.trap_port}/")
    with pytest.raises(Unavailable, match="cannot be reached"):
        await site.fetcher().fetch("http://no-such-host.invalid/")


async def test_the_second_address_is_tried_when_the_first_is_dead(site: Site) -> None:
    dead = ip_address("127.0.0.3")
    site.names["logos.example"] = [dead, OURS]
    site.answers = {"/logo.png": answer_plainly()}
    fetcher = Fetcher(
        LIMITS, resolve=site.resolve, is_allowed=lambda address: address in {dead, OURS}, ports={site.port}
    )
    assert await fetcher.fetch(site.url()) == PICTURE


def _certificate(name: str, folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for a name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


async def test_tls_is_spoken_with_the_name_though_the_address_is_pinned(site: Site, tmp_path: Path) -> None:
    certificate, key = _certificate("logos.example", tmp_path)
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, key)
    asked_names: list[str | None] = []
    ours.sni_callback = lambda _socket, name, _context: asked_names.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))
    server = await asyncio.start_server(site.serve, str(OURS), 0, ssl=ours)
    port = site.port = server.sockets[0].getsockname()[1]
    site.answers = {"/logo.png": answer_plainly()}
    site.names["other.example"] = [OURS]
    try:
        url = f"https://logos.example:{port}/logo.png"
        assert await site.fetcher(tls=trusting).fetch(url) == PICTURE
        assert asked_names == ["logos.example"]
        for stranger, context in ((f"https://other.example:{port}/logo.png", trusting), (url, None)):
            with pytest.raises(Unavailable):
                await site.fetcher(tls=context).fetch(stranger)
    finally:
        server.close()
