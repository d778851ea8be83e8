"""Answers to known and unknown addresses: how long each took, and what is left of it without what differs by design."""

from __future__ import annotations

import http.client
import random
import re
import socket
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

# What differs in every response, whoever asks: form tokens, nonces and the ids of posts.
_RANDOM: Final = (
    re.compile(rb'name="(?:form_token|client_id)" value="[^"]*"'),
    re.compile(rb'nonce="[^"]*"'),
    re.compile(rb"'nonce-[^']*'"),
)
_OWN_HEADERS: Final = frozenset({"date", "x-request-id"})
_TOKEN: Final = re.compile(rb'name="form_token" value="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: seconds until its last byte, and its status, headers and body for comparison."""

    seconds: float
    content: tuple[object, ...]


@dataclass(slots=True)
class Comparison:
    """Answers to pairs of addresses, of which one is known."""

    name: str
    known: list[float] = field(default_factory=list)
    unknown: list[float] = field(default_factory=list)
    differences: int = 0
    example: str = ""

    @property
    def ratio(self) -> float:
        """The larger median divided by the smaller one."""
        medians = statistics.median(self.known), statistics.median(self.unknown)
        return max(medians) / min(medians)

    def add(self, known: Answer, unknown: Answer) -> None:
        """Add a pair."""
        self.known.append(known.seconds)
        self.unknown.append(unknown.seconds)
        if known.content != unknown.content:
            self.differences += 1
            self.example = self.example or f"{known.content}\n{unknown.content}"


class Browser:
    """One browser with its session cookie, on one connection of its own."""

    def __init__(self, port: int, host: str) -> None:
        """Connect to a gateway on loopback and ask for a host."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._host = host
        self._cookie = ""

    def get_token(self, path: str) -> str:
        """Return the first form token of a page, and keep the cookie that it is bound to."""
        response, body = self._send("GET", path, "", {})
        for cookie in response.headers.get_all("set-cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            if name == "session":
                self._cookie = f"session={value}"
        found = _TOKEN.search(body)
        if response.status != 200 or found is None:
            message = f"GET {path} answered {response.status}: {body[:300]!r}"
            raise RuntimeError(message)
        return found[1].decode()

    def post(self, path: str, fields: Mapping[str, str], client: str, *, status: int) -> Answer:
        """Post a form for a client's address, time it, and return the answer without the address in `email`.

        RuntimeError for another status: an error page would be measured instead.
        """
        headers = {"content-type": "application/x-www-form-urlencoded", "x-forwarded-for": client}
        started = time.perf_counter()
        response, body = self._send("POST", path, urlencode(fields), headers)
        seconds = time.perf_counter() - started
        if response.status != status:
            message = f"POST {path} answered {response.status}: {body[:2000]!r}"
            raise RuntimeError(message)
        return Answer(seconds, (response.status, *self._normalize(response, body, fields["email"])))

    def _send(
        self, method: str, path: str, body: str, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        own = {"host": self._host, "accept": "text/html", "content-length": str(len(body))}
        cookie = {"cookie": self._cookie} if self._cookie else {}
        fields = "".join(f"{name}: {value}\r\n" for name, value in {**own, **cookie, **headers}.items())
        # In one piece: a body that follows its headers would wait for their acknowledgement.
        self._socket.sendall(f"{method} {path} HTTP/1.1\r\n{fields}\r\n{body}".encode("ascii"))
        response = http.client.HTTPResponse(self._socket, method=method)
        response.begin()
        return response, response.read()

    def _normalize(
        self, response: http.client.HTTPResponse, body: bytes, address: str
    ) -> tuple[tuple[tuple[str, str], ...], bytes]:
        headers = tuple(
            (name, re.sub(r"'nonce-[^']*'", "", value))
            for name, value in response.getheaders()
            if name.lower() not in _OWN_HEADERS
        )
        for pattern in _RANDOM:
            body = pattern.sub(b"", body)
        return headers, body.replace(address.encode(), b"")


def compare(
    name: str,
    ask: Callable[[str, str], Answer],
    pairs: list[tuple[str, str]],
    *,
    warm_up: int,
    dice: random.Random,
) -> Comparison:
    """Ask for the addresses of each pair (known, unknown) in random order, each with one `ask(address, client)`."""
    compared = Comparison(name)
    for number, (known, unknown) in enumerate(pairs):
        answers = {}
        for address in dice.sample((known, unknown), 2):
            # Each from a network of its own: limits of one client's address are no part of the comparison.
            client = f"198.{18 + number // 250}.{number % 250}.{1 + (address == known)}"
            answers[address] = ask(address, client)
        if number >= warm_up:
            compared.add(answers[known], answers[unknown])
    return compared
