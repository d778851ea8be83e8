"""What is on the public internet, and what may be asked of it."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from kernel.addresses import is_public, normalize_url
from kernel.errors import Invalid


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450::1"]
)
def test_public_addresses(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104  -- nobody listens here
        "10.1.2.3",
        "100.64.0.1",
        "100.100.100.200",  # Alibaba's metadata
        "127.0.0.1",
        "127.8.8.8",
        "168.63.129.16",  # Azure's wire server
        "169.254.169.254",  # most clouds' metadata
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",  # Oracle's metadata
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",  # Amazon's metadata
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://acme.example/logo.png", "https://acme.example/logo.png"),
        ("  https://ACME.example:443  ", "https://acme.example/"),
        ("http://acme.example:80/a b?c=d e#part", "http://acme.example/a%20b?c=d%20e"),
        ("https://acme.example/a%20b", "https://acme.example/a%20b"),
        ("https://müller.example/größe.png", "https://xn--mller-kva.example/gr%C3%B6%C3%9Fe.png"),
        ("http://[2606:4700::1111]/x", "http://[2606:4700::1111]/x"),
    ],
)
def test_a_url_is_asked_for_in_one_way_only(url: str, asked: str) -> None:
    assert normalize_url(url) == asked


def test_a_relative_one_follows_its_base() -> None:
    assert normalize_url("../b.png", base="https://acme.example/x/y/a.png") == "https://acme.example/x/b.png"
    assert normalize_url("//b.example/", base="https://acme.example/x") == "https://b.example/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme.example/logo.png",
        "file:///etc/passwd",
        "ftp://acme.example/logo.png",
        "gopher://127.0.0.1:6379/_INFO",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "https://",
        "https:///logo.png",
        "https://user@acme.example/",
        "https://user:word@acme.example/",
        "https://acme.example\\@127.0.0.1/",
        "https://acme.example:99999/",
        "https://acme.example:ssh/",
        "https://a..b/",
        "https://a%2eb/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://acme.example/\ud800",
        "https://acme.example/?\ud800",
        f"https://acme.example/{'x' * 2048}",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(Invalid, match="cannot be fetched") as refused:
        normalize_url(url)
    assert refused.value.code == "url.refused"
