"""The deliveries of events to the two destinations: signed as Stripe signs, and disturbed as a plan says."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import secrets
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import httpx

from ops.ports import LOOPBACK

_TIMEOUT: Final = timedelta(seconds=20)
_AGENT: Final = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
#: The pauses before further attempts of a process that delivers by itself; Stripe's own grow to hours.
_RETRY_PAUSES: Final = (1.0, 2.0, 5.0, 10.0, 30.0)

#: Sends a body with its headers to a URL, and returns the status of the answer; 0 for none.
post_delivery = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]


class Scope(StrEnum):
    """The event destinations; the value is the last part of the path that takes the deliveries."""

    ACCOUNT = "account"
    """The platform's own account: thin events about the accounts connected to it."""
    CONNECT = "connect"
    """The connected accounts: payments, refunds, disputes."""


class Signing(StrEnum):
    """How a delivery is signed."""

    VALID = "valid"
    WRONG_SECRET = "wrong_secret"  # noqa: S105  -- a name
    OLD = "old"
    """Signed an hour ago."""
    FUTURE = "future"
    """Signed an hour ahead."""


_AGES: Final = {Signing.OLD: timedelta(hours=-1), Signing.FUTURE: timedelta(hours=1)}


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """What becomes of the deliveries of events that happen from now on; by default each arrives once, in order."""

    drop: bool = False
    """They are lost."""
    copies: int = 1
    delay: int = 0
    """How many rounds of deliveries they miss."""
    is_shuffled: bool = False
    """They overtake one another at random."""
    signing: Signing = Signing.VALID
    """How the first attempt is signed; further ones are valid."""
    is_thin: bool = False
    """Snapshot events arrive as thin ones."""


@dataclass(slots=True, eq=False)
class Delivery:
    """An event on its way to a destination."""

    scope: Scope
    body: dict[str, Any]
    signing: Signing = Signing.VALID
    rounds_to_miss: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What was answered to an attempt."""

    event_id: str
    event_type: str
    scope: Scope
    status: int
    """0 when nothing was answered."""

    @property
    def is_taken(self) -> bool:
        """Whether there will be no further attempt."""
        return 200 <= self.status < 300


@dataclass(slots=True)
class Deliveries:
    """The queue of deliveries; `deliver_pending` sends what is due."""

    hooks_url: str
    """The address that takes the deliveries; empty for none: they wait."""
    secrets: Mapping[Scope, Sequence[str]]
    """The secrets of each destination; each one signs, as Stripe does while one is replaced."""
    read_clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    post: post_delivery | None = None
    """Instead of a request over HTTP."""
    seed: int = 0
    """For the order of shuffled deliveries."""
    plan: DeliveryPlan = field(default=DeliveryPlan())
    pending: list[Delivery] = field(default_factory=list)
    dropped: list[Delivery] = field(default_factory=list)
    results: list[DeliveryResult] = field(default_factory=list)
    _added: asyncio.Event = field(default_factory=asyncio.Event)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311  -- repeatable

    def add(self, scope: str, body: dict[str, Any]) -> None:
        """Queue an event as the plan says."""
        plan, target = self.plan, Scope(scope)
        if plan.is_thin and body.get("object") == "event":
            body = write_thin(body)
        if plan.drop:
            self.dropped.append(Delivery(target, body))
            return
        for _ in range(plan.copies):
            place = self._random.randint(0, len(self.pending)) if plan.is_shuffled else len(self.pending)
            self.pending.insert(place, Delivery(target, body, plan.signing, plan.delay))
        self._added.set()

    def restore_dropped(self) -> None:
        """Queue what was dropped, as Stripe's dashboard resends events."""
        self.pending += self.dropped
        self.dropped = []
        self._added.set()

    async def deliver_pending(self) -> list[DeliveryResult]:
        """Send what is due, once each; what is not taken stays in the queue. Returns the results of this round."""
        if not self.hooks_url:
            return []
        due = [one for one in self.pending if not one.rounds_to_miss]
        for one in self.pending:
            one.rounds_to_miss = max(0, one.rounds_to_miss - 1)
        round_results = []
        async with _open_client() as client:
            for delivery in due:
                result = await self._attempt(client, delivery)
                round_results.append(result)
                # Not before: whoever cancels this loses nothing.
                if result.is_taken and delivery in self.pending:
                    self.pending.remove(delivery)
        self.results += round_results
        return round_results

    async def deliver_all(self, *, rounds: int = 8) -> bool:
        """Deliver until nothing is left; False when something is after so many rounds."""
        for _ in range(rounds):
            if not self.pending:
                break
            await self.deliver_pending()
        return not self.pending

    async def run(self) -> None:
        """Deliver whatever is added, until cancelled; what is not taken is sent again after a while."""
        failures = 0
        while self.hooks_url:
            pause = _RETRY_PAUSES[min(failures, len(_RETRY_PAUSES)) - 1] if failures else None
            if not self.pending or failures:
                try:
                    async with asyncio.timeout(pause if self.pending else None):
                        await self._added.wait()
                except TimeoutError:
                    pass
            self._added.clear()
            results = await self.deliver_pending()
            is_failing = any(not one.is_taken for one in results)
            failures = failures + 1 if is_failing else 0

    async def _attempt(self, client: httpx.AsyncClient, delivery: Delivery) -> DeliveryResult:
        signing = Signing.VALID if delivery.attempts else delivery.signing
        delivery.attempts += 1
        body = json.dumps(delivery.body, indent=2).encode()
        keys = self.secrets.get(delivery.scope, ())
        if signing is Signing.WRONG_SECRET:
            keys = [f"whsec_{secrets.token_hex(16)}"]
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": _AGENT,
            "stripe-signature": sign(
                body, keys, signed_at=self.read_clock() + _AGES.get(signing, timedelta(0))
            ),
        }
        url = f"{self.hooks_url.rstrip('/')}/stripe/{delivery.scope}"
        status = await (self.post or _make_post(client))(url, body, headers)
        return DeliveryResult(delivery.body["id"], delivery.body["type"], delivery.scope, status)


def sign(body: bytes, keys: Sequence[str], *, signed_at: datetime) -> str:
    """Return the header Stripe-Signature: a time, a signature by each secret, and the fake one of test mode."""
    seconds = int(signed_at.timestamp())
    payload = b"%d.%s" % (seconds, body)
    signatures = [hmac.new(key.encode(), payload, hashlib.sha256).hexdigest() for key in keys]
    return ",".join([f"t={seconds}", *(f"v1={one}" for one in signatures), f"v0={secrets.token_hex(32)}"])


def write_thin(event: Mapping[str, Any]) -> dict[str, Any]:
    """Write a snapshot event as a destination gets it that asked for thin events."""
    about = event["data"]["object"]
    moment = datetime.fromtimestamp(event["created"], UTC)
    return {
        "id": event["id"],
        "object": "v2.core.event",
        "type": f"v1.{event['type']}",
        "created": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "livemode": False,
        "context": event.get("account"),
        "related_object": {
            "id": about["id"],
            "type": about["object"],
            "url": f"/v1/{about['object']}s/{about['id']}",
        },
    }


def _open_client() -> httpx.AsyncClient:
    # Everything is on this machine and without TLS: reading the certificates of the world would take most of the time.
    bare = httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return httpx.AsyncClient(timeout=_TIMEOUT.total_seconds(), transport=bare)


def _make_post(client: httpx.AsyncClient) -> post_delivery:
    async def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
        parts = urlsplit(url)
        if parts.hostname is not None and parts.hostname.endswith("localhost"):
            # *.localhost does not resolve everywhere.
            headers = {**headers, "host": parts.netloc}
            url = urlunsplit(parts._replace(netloc=f"{LOOPBACK}:{parts.port or 80}"))
        try:
            answer = await client.post(url, content=body, headers=dict(headers))
        except httpx.HTTPError:
            return 0
        return answer.status_code

    return post
