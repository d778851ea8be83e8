"""The routes that Stripe delivers events to: verify, store, answer. What an event means is a job's business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from litestar import MediaType, Response, post
from litestar.di import NamedDependency

from kernel.errors import Invalid
from tenants.connect.inbox import actions
from tenants.connect.inbox.values import EventScope
from tenants.connect.webhooks import verify
from web.http.bodies import require_media_type
from web.http.context import GatewayRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kernel.clock import Clock
    from kernel.store import Database
    from kernel.telemetry.metrics import Metrics

_SIGNATURE: Final = "stripe-signature"
_REQUIRE_JSON: Final = require_media_type("application/json")


class Deliveries:
    """Receives the deliveries of both destinations; without secrets every one is refused."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        secrets: Mapping[EventScope, Sequence[str]],
        *,
        is_live: bool,
    ) -> None:
        """Accept what the `secrets` of a scope sign; `is_live` tells whether our key moves real money."""
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._secrets = secrets
        self._is_live = is_live

    async def receive(self, body: bytes, signature: str | None, scope: EventScope) -> None:
        """Store a delivery; raises Invalid("webhook.…"), and Unavailable while the database is."""
        now = self._clock.now()
        try:
            event = verify(body, signature, scope=scope, secrets=self._secrets.get(scope, ()), now=now)
        except Invalid as error:
            self._metrics.stripe_signature_failures.labels(scope, error.data["reason"]).inc()
            raise
        self._metrics.stripe_last_verified.labels(scope).set(now.timestamp())
        result = await actions.receive(self._database, event, is_live=self._is_live)
        self._metrics.stripe_deliveries.labels(scope, result).inc()


@post("/stripe/account", name="stripe_account", status_code=200, guards=[_REQUIRE_JSON])
async def receive_account_event(
    request: GatewayRequest, deliveries: NamedDependency[Deliveries]
) -> Response[bytes]:
    """Take an event of our own account."""
    return await _receive(request, deliveries, EventScope.ACCOUNT)


@post("/stripe/connect", name="stripe_connect", status_code=200, guards=[_REQUIRE_JSON])
async def receive_connect_event(
    request: GatewayRequest, deliveries: NamedDependency[Deliveries]
) -> Response[bytes]:
    """Take an event of a connected account."""
    return await _receive(request, deliveries, EventScope.CONNECT)


async def _receive(request: GatewayRequest, deliveries: Deliveries, scope: EventScope) -> Response[bytes]:
    await deliveries.receive(await request.body(), request.get_header(_SIGNATURE), scope)
    # The same answer whatever became of it: Stripe must not deliver again what we do not want.
    return Response(b"", status_code=200, media_type=MediaType.TEXT)
